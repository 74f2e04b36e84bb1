package credential

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"walarchive/keys"
)

const planted = "planted-secret-2f9a"

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// newPlace is a place on a host of its own.
func newPlace(t *testing.T) *Place {
	t.Helper()
	dir := t.TempDir()
	p := &Place{
		Provider: "kms", Options: map[string]string{"type": "kmip", "host": "kms.example.com"},
		File: filepath.Join(dir, "kms.credential"), HostKey: filepath.Join(dir, "host", "host.key"),
		MachineID: filepath.Join(dir, "machine-id"),
	}
	writeFile(t, p.MachineID, "0123456789abcdef0123456789abcdef\n", 0o644)
	return p
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func set(t *testing.T, p *Place, secret string) {
	t.Helper()
	if err := p.Set(t.Context(), ByHostKey, []byte(secret), noon); err != nil {
		t.Fatal(err)
	}
}

// expect checks that the credential fails with want, which is about the
// credential and not about a key, and shows no secret.
func expect(t *testing.T, p *Place, want error) {
	t.Helper()
	secret, err := p.Secret()
	if secret != nil || !errors.Is(err, want) || !errors.Is(err, keys.ErrUnavailable) || errors.Is(err, keys.ErrNoKey) {
		t.Errorf("got %d bytes, error %v; want %v", len(secret), err, want)
	}
	var e *Error
	if !errors.As(err, &e) || e.Hint() == "" || strings.Contains(err.Error()+e.Hint(), planted) {
		t.Errorf("%v is no *Error with a hint, or shows the secret", err)
	}
}

func TestSetAndOpen(t *testing.T) {
	p := newPlace(t)
	expect(t, p, errNotSet)
	for _, secret := range []string{planted, "another\nwith lines\n", "\x00", strings.Repeat("x", MaxSecret)} {
		set(t, p, secret)
		for range 2 {
			got, err := p.Secret()
			if err != nil || string(got) != secret {
				t.Fatalf("got %d bytes, error %v; want %d", len(got), err, len(secret))
			}
		}
	}
	for _, path := range []string{p.File, p.HostKey} {
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, error %v", path, st.Mode(), err)
		}
		if b, err := os.ReadFile(path); err != nil || bytes.Contains(b, []byte(planted)) {
			t.Errorf("%s holds the secret as it is, or error %v", path, err)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	tests := []struct {
		name   string
		secret string
		method Method
		edit   func(*Place)
		want   string
	}{
		{"no secret", "", ByHostKey, func(*Place) {}, "a secret has 1 to"},
		{"too long", strings.Repeat("x", MaxSecret+1), ByHostKey, func(*Place) {}, "a secret has 1 to"},
		{"unknown method", planted, "wax", func(*Place) {}, `"wax" is no way`},
		{"host key beside", planted, ByHostKey, func(p *Place) { p.HostKey = p.File + ".key" }, "another directory"},
		{"host id not readable", planted, ByHostKey, func(p *Place) { p.MachineID = filepath.Dir(p.MachineID) }, "host id"},
		{"no directory", planted, ByHostKey, func(p *Place) { p.File = filepath.Join(filepath.Dir(p.File), "none", "c") }, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			set(t, p, "old")
			changed := *p
			tt.edit(&changed)
			err := changed.Set(t.Context(), tt.method, []byte(tt.secret), noon)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), planted) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
			if got, err := p.Secret(); err != nil || string(got) != "old" {
				t.Errorf("the old credential is gone: %q, error %v", got, err)
			}
		})
	}
}

// What a credential is bound to.
func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		edit func(t *testing.T, p *Place)
		want error
	}{
		{"another host", func(t *testing.T, p *Place) {
			writeFile(t, p.MachineID, "ffffffffffffffffffffffffffffffff\n", 0o644)
		}, ErrElsewhere},
		{"a host without id", func(t *testing.T, p *Place) { remove(t, p.MachineID) }, ErrElsewhere},
		{"another provider", func(_ *testing.T, p *Place) { p.Provider = "other" }, ErrConnection},
		{"another service", func(_ *testing.T, p *Place) { p.Options["host"] = "kms.evil.example" }, ErrConnection},
		{"one more option", func(_ *testing.T, p *Place) { p.Options["port"] = "1" }, ErrConnection},
		{"another host key", func(t *testing.T, p *Place) { writeFile(t, p.HostKey, strings.Repeat("k", 32), 0o600) }, ErrKey},
		{"no host key", func(t *testing.T, p *Place) { remove(t, p.HostKey) }, ErrKey},
		{"short host key", func(t *testing.T, p *Place) { writeFile(t, p.HostKey, "k", 0o600) }, ErrKey},
		{"host key for all", func(t *testing.T, p *Place) { chmod(t, p.HostKey, 0o644) }, ErrExposed},
		{"credential for the group", func(t *testing.T, p *Place) { chmod(t, p.File, 0o640) }, ErrExposed},
		{"a newer version", func(t *testing.T, p *Place) { edit(t, p.File, `credential":1`, `credential":2`) }, ErrNewer},
		{"version 0", func(t *testing.T, p *Place) { edit(t, p.File, `credential":1`, `credential":0`) }, ErrDamaged},
		{"another time", func(t *testing.T, p *Place) { edit(t, p.File, "12:00", "12:01") }, ErrKey},
		{"an unknown member", func(t *testing.T, p *Place) { edit(t, p.File, `,"time"`, `,"x":1,"time"`) }, ErrDamaged},
		{"no base64", func(t *testing.T, p *Place) { edit(t, p.File, "}\n", "}\n!") }, ErrDamaged},
		{"one more line", func(t *testing.T, p *Place) { edit(t, p.File, "}\n", "}\n\n") }, ErrDamaged},
		{"no last line feed", func(t *testing.T, p *Place) { trim(t, p.File, 1) }, ErrDamaged},
		{"a FIFO", func(t *testing.T, p *Place) { remove(t, p.File); fifo(t, p.File) }, ErrDamaged},
		{"huge", func(t *testing.T, p *Place) { writeFile(t, p.File, strings.Repeat("x", maxFile+1), 0o600) }, ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			set(t, p, planted)
			tt.edit(t, p)
			expect(t, p, tt.want)
		})
	}
}

// Every byte of the file counts.
func TestEveryByteChanged(t *testing.T) {
	p := newPlace(t)
	set(t, p, planted)
	sound, err := os.ReadFile(p.File)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(start); i < len(sound); i++ { // what begins otherwise is systemd's
		b := bytes.Clone(sound)
		b[i] ^= 1
		writeFile(t, p.File, string(b), 0o600)
		if secret, err := p.Secret(); err == nil {
			t.Errorf("byte %d changed: opens into %q", i, secret)
		}
	}
}

func TestStatus(t *testing.T) {
	p := newPlace(t)
	if s, err := p.Status(); err == nil || s.Problem == "" || s.SealedBy != "" {
		t.Errorf("got %+v, error %v, before there is one", s, err)
	}
	set(t, p, planted)
	s, err := p.Status()
	if err != nil || s.SealedBy != ByHostKey || !s.Time.Equal(noon) || s.Loaded || strings.Contains(fmt.Sprintf("%+v", s), planted) {
		t.Errorf("got %+v, error %v", s, err)
	}
	remove(t, p.HostKey)
	if s, err := p.Status(); err == nil || s.Problem == "" || s.SealedBy != ByHostKey {
		t.Errorf("got %+v, error %v, without the host key", s, err)
	}
}

// What systemd loaded for the process counts first, with the same bindings.
func TestLoaded(t *testing.T) {
	p := newPlace(t)
	set(t, p, "from the file")
	p.Loaded = t.TempDir()
	if got, err := p.Secret(); err != nil || string(got) != "from the file" {
		t.Fatalf("got %q, error %v, where nothing is loaded", got, err)
	}
	sealed, err := os.ReadFile(p.File)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := bytes.Cut(sealed, []byte("\n"))
	loaded := filepath.Join(p.Loaded, "walarchive-kms")
	writeFile(t, loaded, string(line)+"\n"+planted, 0o440) // as systemd does
	if got, err := p.Secret(); err != nil || string(got) != planted {
		t.Errorf("got %q, error %v", got, err)
	}
	if s, err := p.Status(); err != nil || !s.Loaded {
		t.Errorf("got %+v, error %v", s, err)
	}
	p.Options["host"] = "kms.evil.example"
	expect(t, p, ErrConnection)
	writeFile(t, loaded, planted, 0o600)
	expect(t, p, ErrDamaged)
}

// Of a container without an id only the host key is asked.
func TestNoMachineID(t *testing.T) {
	p := newPlace(t)
	remove(t, p.MachineID)
	set(t, p, planted)
	if got, err := p.Secret(); err != nil || string(got) != planted {
		t.Errorf("got %q, error %v", got, err)
	}
}

// Two processes that set a host's first credentials at once agree on its key.
func TestHostKeyIsMadeOnce(t *testing.T) {
	p := newPlace(t)
	var group sync.WaitGroup
	places := make([]Place, 8)
	for i := range places {
		places[i] = *p
		places[i].File = fmt.Sprintf("%s-%d", p.File, i)
		group.Go(func() {
			if err := places[i].Set(t.Context(), ByHostKey, []byte(planted), noon); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range places {
		if got, err := places[i].Secret(); err != nil || string(got) != planted {
			t.Errorf("%d: got %q, error %v", i, got, err)
		}
	}
}
