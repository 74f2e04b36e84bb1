package credential

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"walarchive/crypt"
)

// vector is a sealed credential with all that it takes to open it.
type vector struct {
	MachineID string            `json:"machine_id"`
	HostKey   []byte            `json:"host_key"`
	Provider  string            `json:"provider"`
	Options   map[string]string `json:"options"`
	Secret    []byte            `json:"secret"`
	Sealed    string            `json:"sealed"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("../../fixtures/keys/credential.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil || len(all) == 0 {
		t.Fatalf("%d vectors, error %v", len(all), err)
	}
	return all
}

// A credential that a released version sealed opens for ever.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		dir := t.TempDir()
		p := &Place{
			Provider: v.Provider, Options: v.Options,
			File: filepath.Join(dir, "c"), HostKey: filepath.Join(dir, "k"), MachineID: filepath.Join(dir, "m"),
		}
		writeFile(t, p.MachineID, v.MachineID, 0o644)
		writeFile(t, p.HostKey, string(v.HostKey), 0o600)
		writeFile(t, p.File, v.Sealed, 0o600)
		if got, err := p.Secret(); err != nil || string(got) != string(v.Secret) {
			t.Errorf("%s: got %q, error %v", v.Provider, got, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	v := vectors(f)[0]
	key, err := crypt.NewKey(v.HostKey)
	if err != nil {
		f.Fatal(err)
	}
	known := map[string]bool{}
	for _, v := range vectors(f) {
		known[v.Sealed] = true
		f.Add([]byte(v.Sealed))
	}
	f.Add([]byte(start))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, line, rest, err := parseRecord(b)
		if err != nil {
			return
		}
		if again, err := json.Marshal(r); err != nil || string(again) != string(line) {
			t.Errorf("%q reads as %q, error %v", line, again, err)
		}
		if secret, err := openBox(key, line, rest); err == nil && !known[string(b)] {
			t.Errorf("%q opens into %q", b, secret)
		}
	})
}
