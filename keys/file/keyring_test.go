package file

import (
	"bytes"
	"errors"
	"testing"

	"walarchive/crypt"
	"walarchive/fixtures"
	"walarchive/keys"
)

// FuzzKeyring: any bytes give a key of 16 or 32 bytes or one of the errors;
// and a record appended to a whole keyring is found in it.
func FuzzKeyring(f *testing.F) {
	for _, name := range []string{
		"pgtde/B-single-key/states/final/b-keyring.per",
		"pgtde/C-rotation/states/0-initial/c-keyring.per",
	} {
		b, err := fixtures.Read(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "wal")
	}
	f.Add([]byte("short"), "a")
	f.Fuzz(func(t *testing.T, keyring []byte, name string) {
		if checkName(name) != nil {
			return
		}
		key, err := find(keyring, name)
		switch n := len(key.Bytes()); {
		case err == nil && n != 16 && n != 32:
			t.Errorf("a key of %d bytes", n)
		case err != nil && !errors.Is(err, keys.ErrNoKey) && !errors.Is(err, keys.ErrBadKey) && !errors.Is(err, keys.ErrBadKeyring):
			t.Errorf("another error: %v", err)
		}
		if !errors.Is(err, keys.ErrNoKey) {
			return
		}
		made, _ := crypt.NewKey(bytes.Repeat([]byte{7}, 32))
		got, err := find(append(bytes.Clone(keyring), newRecord(name, made)...), upperASCII(name))
		if err != nil || !bytes.Equal(got.Bytes(), made.Bytes()) {
			t.Errorf("an appended key is not found: %v", err)
		}
	})
}

func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}
