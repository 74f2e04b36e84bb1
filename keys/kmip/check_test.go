package kmip

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"

	"walarchive/keys"
)

// secretOf gives the content of files, one behind the other.
func secretOf(t *testing.T, files ...string) keys.Secret {
	t.Helper()
	var all []byte
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return func() ([]byte, error) { return append([]byte(nil), all...), nil } // callers wipe what they get
}

func TestSecret(t *testing.T) {
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	sealed := errors.New("the credential is sealed")
	tests := []struct {
		name   string
		cert   string
		secret keys.Secret
		want   string // empty: works
	}{
		{"the key", w.o.Cert, secretOf(t, w.o.Key), ""},
		{"certificate and key", "", secretOf(t, w.o.Cert, w.o.Key), ""},
		{"the key without its certificate", "", secretOf(t, w.o.Key), "certificate and key of the credential"},
		{"no PEM", w.o.Cert, func() ([]byte, error) { return []byte("planted-secret"), nil }, "certificate and key of the credential"},
		{"does not open", w.o.Cert, func() ([]byte, error) { return nil, sealed }, sealed.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := w.o
			o.Cert, o.Key, o.Secret = tt.cert, "", tt.secret
			p := open(t, o)
			for range 2 { // what was wiped is read again
				_, err := p.Key(t.Context(), "k")
				if tt.want == "" && err != nil {
					t.Errorf("got error %v", err)
				}
				if tt.want != "" {
					checkError(t, err, keys.ErrUnavailable, tt.want)
					if strings.Contains(err.Error(), "planted") {
						t.Errorf("%v shows the secret", err)
					}
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	ends, err := open(t, w.o).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(ends) != 3 { // client, server, CA
		t.Errorf("got %v", ends)
	}
	for _, e := range ends {
		if e.End.IsZero() || !strings.Contains(e.What, "certificate") {
			t.Errorf("got %+v", e)
		}
	}

	// A server that is not there shows, though the other one is enough for keys.
	o := w.o
	o.Host = "127.0.0.1,127.0.0.1:" + mute(t)
	ends, err = hasty(t, o).Check(t.Context())
	checkError(t, err, keys.ErrUnavailable, "within 1s")
	if len(ends) != 3 {
		t.Errorf("got %v", ends)
	}

	o = w.o
	o.Key = w.o.CA
	_, err = open(t, o).Check(t.Context())
	checkError(t, err, keys.ErrUnavailable, "certificate")
}
