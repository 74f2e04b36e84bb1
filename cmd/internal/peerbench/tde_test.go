//go:build integration

package peerbench

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"walarchive/archive/wal"
	"walarchive/cmd/internal/pgtest"
	"walarchive/cmd/internal/tdekeys"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
)

// encrypted is the same WAL as a server with pg_tde has it.
func (r *recording) encrypted(b *testing.B) *recording {
	b.Helper()
	e := &recording{segments: r.segments, plain: r}
	e.data = r.skeleton(b, filepath.Join(pgtest.Scratch(b), "data"))
	e.writeKeys(b, e.data)
	for _, name := range r.segments {
		segment, err := os.ReadFile(filepath.Join(r.data, "pg_wal", name))
		check(b, err)
		xor(b, e.data, name, segment)
		pgtest.WriteFile(b, filepath.Join(e.data, "pg_wal", name), string(segment))
	}
	return e
}

// writeKeys gives a data directory WAL keys of its own, from the first segment
// on.
func (r *recording) writeKeys(b *testing.B, data string) {
	b.Helper()
	first, err := wal.ParseSegment(r.segments[0], segmentSize)
	check(b, err)
	tdetest.KeyFile{Entries: []tdetest.Entry{{Type: tde.Encrypted, Start: tdetest.At(first.Timeline, first.Start())}}}.Write(b, data, tde.Percona)
	check(b, filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		pgtest.Own(b, path)
		return err
	}))
}

// xor encrypts or decrypts a segment with the keys of a data directory.
func xor(b *testing.B, data, name string, segment []byte) {
	b.Helper()
	dir, err := tde.Open(filepath.Join(data, string(tde.Percona)))
	check(b, err)
	seg, err := wal.ParseSegment(name, segmentSize)
	check(b, err)
	c, err := tde.NewKeys(dir, tdekeys.Host{PGData: data}.Fetch).Cipher(b.Context(), seg)
	check(b, err)
	if !c.Encrypted() {
		b.Fatalf("the keys in %s leave %s in plaintext", data, name)
	}
	c.XOR(segment, 0)
}

// compareEncrypted fails unless all segments came back as they were, under the
// keys of data.
func (r *recording) compareEncrypted(b *testing.B, data string) {
	b.Helper()
	for _, name := range r.segments {
		got, err := os.ReadFile(filepath.Join(data, "pg_wal", name))
		check(b, err)
		want, err := os.ReadFile(filepath.Join(r.plain.data, "pg_wal", name))
		check(b, err)
		xor(b, data, name, got)
		if !bytes.Equal(got, want) {
			b.Fatalf("%s came back with other content", name)
		}
	}
}
