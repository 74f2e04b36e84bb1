//go:build integration

package credential

import (
	"os"
	"strings"
	"testing"
)

// The real program, with the key that it makes for this host.
func TestSystemd(t *testing.T) {
	p := newPlace(t)
	if err := p.Set(t.Context(), BySystemd, []byte(planted), noon); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(p.File); err != nil || strings.Contains(string(b), planted) {
		t.Fatalf("the file holds the secret as it is, or error %v", err)
	}
	if got, err := p.Secret(); err != nil || string(got) != planted {
		t.Errorf("got %q, error %v", got, err)
	}
	if s, err := p.Status(); err != nil || s.SealedBy != BySystemd || !s.Time.Equal(noon) {
		t.Errorf("got %+v, error %v", s, err)
	}
	if _, err := os.Stat(p.HostKey); err == nil {
		t.Error("a host key was made for nothing")
	}

	other := *p
	other.Options = map[string]string{"type": "kmip", "host": "kms.evil.example"}
	expect(t, &other, ErrConnection)
	other = *p
	other.Provider = "other" // systemd itself binds the name
	if secret, err := other.Secret(); err == nil {
		t.Errorf("opens for another provider: %q", secret)
	}
	edit(t, p.File, "a", "b")
	if secret, err := p.Secret(); err == nil || strings.Contains(err.Error(), planted) {
		t.Errorf("an altered file: got %q, error %v", secret, err)
	}
}
