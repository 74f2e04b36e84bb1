// Package tdetest makes key directories of pg_tde for tests, from the format
// description of package tde and not with its code, so that each checks the
// other.
package tdetest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// KeyFile is a file wal_keys to be made. Zero fields get a usable value,
// keys and nonces a random one.
type KeyFile struct {
	Version   tde.Version // default 2
	Principal crypt.Key
	KeyName   string // default server-key
	Provider  int32  // default -1
	Set       time.Time
	Entries   []Entry
}

// Entry is an entry of a KeyFile. Without Key and BaseIV it gets random ones.
// A superseded entry is sealed as an encrypted one and then marked in place,
// as the server does it, so that it no longer unwraps.
type Entry struct {
	Type   tde.RangeType
	Start  wal.Location
	Key    crypt.Key
	BaseIV [16]byte
}

// At is the location with which tests like to start an entry.
func At(t wal.Timeline, lsn wal.LSN) wal.Location { return wal.Location{Timeline: t, LSN: lsn} }

// Write makes the key directory of flavor below pgdata, with a keyring file
// beside it that holds the principal key, and returns the directory. The
// keyring's path in the provider's options is relative: "keyring.per".
func (f KeyFile) Write(t testing.TB, pgdata string, flavor tde.Flavor) string {
	t.Helper()
	f = f.withDefaults()
	dir := filepath.Join(pgdata, string(flavor))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "wal_keys"), f.Bytes())
	write(t, filepath.Join(dir, "1664_providers"), Provider(f.Provider, "local", `{"path" : "keyring.per"}`, 1))
	write(t, filepath.Join(pgdata, "keyring.per"), keyring(f.KeyName, f.Principal))
	return dir
}

// Bytes are the bytes of the file.
func (f KeyFile) Bytes() []byte {
	f = f.withDefaults()
	b := f.header()
	for _, e := range f.Entries {
		b = append(b, f.entry(e)...)
	}
	return b
}

func (f KeyFile) withDefaults() KeyFile {
	if f.Version == 0 {
		f.Version = tde.Version2
	}
	if f.Principal.IsZero() {
		f.Principal = randomKey()
	}
	if f.KeyName == "" {
		f.KeyName = "server-key"
	}
	if f.Provider == 0 {
		f.Provider = -1
	}
	if f.Set.IsZero() {
		f.Set = time.Unix(1700000000, 0)
	}
	return f
}

func (f KeyFile) header() []byte {
	b := make([]byte, 320)
	le := binary.LittleEndian
	copy(b, []byte{'W', 'E', 'K', byte(f.Version)})
	le.PutUint32(b[8:], 1664)
	le.PutUint32(b[12:], uint32(f.Provider))
	le.PutUint64(b[16:], uint64(f.Set.Unix()))
	le.PutUint64(b[24:], uint64(f.Set.Nanosecond()/1000))
	copy(b[32:288], f.KeyName)
	fill(b[288:304])
	copy(b[304:], f.seal(b[288:304], b[8:288], nil))
	return b
}

func (f KeyFile) entry(e Entry) []byte {
	if e.Key.IsZero() {
		e.Key = randomKey()
	}
	if e.BaseIV == [16]byte{} {
		fill(e.BaseIV[:])
	}
	switch f.Version {
	case tde.Version1:
		return f.entry1(e)
	case tde.Version2:
		return f.entry2(e)
	case tde.Version3:
		return f.entry3(e)
	}
	panic(fmt.Sprintf("no key file of version %d", f.Version))
}

func (f KeyFile) entry1(e Entry) []byte {
	b := make([]byte, 96)
	le := binary.LittleEndian
	le.PutUint32(b, 1)
	copy(b[24:], e.BaseIV[:])
	le.PutUint32(b[40:], uint32(e.Type))
	le.PutUint64(b[48:], uint64(e.Start.LSN))
	le.PutUint32(b[56:], uint32(e.Start.Timeline))
	fill(b[64:80])
	box := f.seal(b[64:80], b[:8], e.Key.Bytes())
	copy(b[8:24], box)
	copy(b[80:], box[16:])
	return b
}

func (f KeyFile) entry2(e Entry) []byte {
	b := make([]byte, 104)
	le := binary.LittleEndian
	le.PutUint32(b, cipherOf(e.Key))
	le.PutUint32(b[4:], uint32(sealedType(e.Type)))
	le.PutUint64(b[8:], uint64(e.Start.LSN))
	le.PutUint32(b[16:], uint32(e.Start.Timeline))
	copy(b[56:], e.BaseIV[:])
	fill(b[24:40])
	f.sealInto(b, 24, 40, 8, e.Key)
	le.PutUint32(b[4:], uint32(e.Type))
	return b
}

func (f KeyFile) entry3(e Entry) []byte {
	b := make([]byte, 104)
	le := binary.LittleEndian
	le.PutUint32(b, cipherOf(e.Key))
	le.PutUint32(b[4:], uint32(sealedType(e.Type)))
	copy(b[8:], e.BaseIV[:])
	le.PutUint64(b[24:], uint64(e.Start.LSN))
	le.PutUint32(b[32:], uint32(e.Start.Timeline))
	fill(b[40:56])
	f.sealInto(b, 40, 56, 24, e.Key)
	le.PutUint32(b[4:], uint32(e.Type))
	return b
}

// sealInto wraps key in an entry of version 2 or 3.
func (f KeyFile) sealInto(b []byte, nonce, tag, aad int, key crypt.Key) {
	box := f.seal(b[nonce:nonce+16], b[:aad], key.Bytes())
	n := copy(b[72:], box[:len(key.Bytes())])
	copy(b[tag:tag+16], box[n:])
}

func (f KeyFile) seal(nonce, aad, plain []byte) []byte {
	block, err := aes.NewCipher(f.Principal.Bytes())
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, 16)
	if err != nil {
		panic(err)
	}
	return gcm.Seal(nil, nonce, plain, aad)
}

func fill(b []byte) {
	_, _ = rand.Read(b) // never fails
}

func randomKey() crypt.Key {
	b := make([]byte, 16)
	fill(b)
	key, err := crypt.NewKey(b)
	if err != nil {
		panic(err)
	}
	return key
}

func sealedType(t tde.RangeType) tde.RangeType {
	if t == tde.Superseded {
		return tde.Encrypted
	}
	return t
}

func cipherOf(key crypt.Key) uint32 {
	if len(key.Bytes()) == 32 {
		return 1
	}
	return 0
}

// Provider is a record of a file 1664_providers.
func Provider(id int32, name, options string, typ uint32) []byte {
	b := make([]byte, 1160)
	binary.LittleEndian.PutUint32(b, uint32(id))
	copy(b[4:131], name)
	copy(b[132:1155], options)
	binary.LittleEndian.PutUint32(b[1156:], typ)
	return b
}

// keyring is a keyring file of one key.
func keyring(name string, key crypt.Key) []byte {
	b := make([]byte, 292)
	copy(b[:255], name)
	copy(b[256:], key.Bytes())
	binary.LittleEndian.PutUint32(b[288:], uint32(len(key.Bytes())))
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
