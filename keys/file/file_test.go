package file_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"walarchive/fixtures"
	"walarchive/keys"
	"walarchive/keys/file"
	"walarchive/keys/keystest"
)

func TestConformance(t *testing.T) {
	keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
		path := write(t)
		return file.New(path), func(name string, key []byte) { appendTo(t, path, record(name, key)) }
	})
}

// record is a record of a keyring file as the package comment describes it.
func record(name string, key []byte) []byte {
	b := make([]byte, 292)
	copy(b, name)
	copy(b[256:288], key)
	binary.LittleEndian.PutUint32(b[288:], uint32(len(key)))
	return b
}

// write makes a keyring file of the given pieces.
func write(t *testing.T, pieces ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring")
	if err := os.WriteFile(path, bytes.Join(pieces, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func appendTo(t *testing.T, path string, b []byte) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(old, b...), 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	key16 = bytes.Repeat([]byte{0x16}, 16)
	key32 = bytes.Repeat([]byte{0x32}, 32)
)

func TestKey(t *testing.T) {
	noEnd := bytes.Repeat([]byte{'x'}, 292)
	tests := []struct {
		name    string
		keyring [][]byte
		ask     string
		want    []byte
		err     error
	}{
		{name: "second of two", keyring: [][]byte{record("a", key16), record("b", key32)}, ask: "b", want: key32},
		{name: "case does not count", keyring: [][]byte{record("Key-256", key32)}, ask: "kEY-256", want: key32},
		{name: "but only of ASCII letters", keyring: [][]byte{record("schlüssel", key32)}, ask: "schlÜssel", err: keys.ErrNoKey},
		{name: "a neighbour of letters in ASCII is none", keyring: [][]byte{record("a[", key32)}, ask: "a{", err: keys.ErrNoKey},
		{name: "first match counts", keyring: [][]byte{record("A", key16), record("a", key32)}, ask: "a", want: key16},
		{name: "empty keyring", ask: "a", err: keys.ErrNoKey},
		{name: "longest name", keyring: [][]byte{record(strings.Repeat("n", 255), key16)}, ask: strings.Repeat("n", 255), want: key16},
		{name: "name too long", keyring: [][]byte{record("a", key16)}, ask: strings.Repeat("n", 256), err: keys.ErrName},
		{name: "name with NUL", keyring: [][]byte{record("a", key16)}, ask: "a\x00b", err: keys.ErrName},
		{name: "short record behind the key", keyring: [][]byte{record("a", key16), record("b", key16)[:291]}, ask: "a", want: key16},
		{name: "short record reached", keyring: [][]byte{record("a", key16), record("b", key16)[:291]}, ask: "b", err: keys.ErrBadKeyring},
		{name: "name without end", keyring: [][]byte{noEnd, record("a", key16)}, ask: "a", err: keys.ErrBadKeyring},
		{name: "record without name", keyring: [][]byte{record("", key16), record("a", key16)}, ask: "a", err: keys.ErrBadKeyring},
		{name: "key without length", keyring: [][]byte{record("a", nil)}, ask: "a", err: keys.ErrBadKey},
		{name: "key length beyond the record", keyring: [][]byte{record("a", make([]byte, 64))}, ask: "a", err: keys.ErrBadKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := file.New(write(t, tt.keyring...)).Key(t.Context(), tt.ask)
			if !errors.Is(err, tt.err) || !bytes.Equal(got.Bytes(), tt.want) {
				t.Errorf("got error %v and %d bytes, want %v and %d", err, len(got.Bytes()), tt.err, len(tt.want))
			}
		})
	}
}

func TestUnreadableKeyringsAreNotMissingKeys(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		err        error
	}{
		{"missing file", filepath.Join(dir, "absent"), keys.ErrUnavailable},
		{"missing file, for callers of package fs", filepath.Join(dir, "absent"), fs.ErrNotExist},
		{"missing directory", filepath.Join(dir, "absent", "keyring"), keys.ErrUnavailable},
		{"directory", dir, keys.ErrBadKeyring},
		{"pipe", fifo, keys.ErrBadKeyring},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := file.New(tt.path).Key(t.Context(), "a")
			if !errors.Is(err, tt.err) || errors.Is(err, keys.ErrNoKey) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			var e *keys.Error
			if !errors.As(err, &e) || e.Hint() == "" {
				t.Errorf("no hint with: %v", err)
			}
		})
	}
}

func TestVectors(t *testing.T) {
	var v struct {
		Keyring struct {
			File string
			Keys []struct{ Name, Key string }
		} `json:"file_keyring"`
	}
	b, err := fixtures.Read("vectors/pg_tde.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	keyring, err := hex.DecodeString(v.Keyring.File)
	if err != nil {
		t.Fatal(err)
	}
	p := file.New(write(t, keyring))
	for _, k := range v.Keyring.Keys {
		key, err := p.Key(t.Context(), strings.ToLower(k.Name))
		if got := hex.EncodeToString(key.Bytes()); err != nil || got != k.Key {
			t.Errorf("key %q: got %s and error %v, want %s", k.Name, got, err, k.Key)
		}
	}
	if len(v.Keyring.Keys) != 2 {
		t.Errorf("got %d vectors, want 2", len(v.Keyring.Keys))
	}
}
