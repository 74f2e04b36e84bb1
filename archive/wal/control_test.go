package wal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"testing"

	"walarchive/archive/wal"
	"walarchive/fixtures"
)

// The server's own view of the file, through pg_control_system() and its
// sisters, is the oracle.
func TestParseControlOfServers(t *testing.T) {
	recordings, err := fixtures.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recordings {
		t.Run(r.Major, func(t *testing.T) {
			b, err := r.Read("global/pg_control")
			if err != nil {
				t.Fatal(err)
			}
			got, err := wal.ParseControl(b)
			if err != nil {
				t.Fatal(err)
			}
			told, err := r.Control()
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, told, map[string]string{
				"system_identifier":         fmt.Sprint(got.SystemID),
				"pg_control_version":        fmt.Sprint(got.ControlVersion),
				"catalog_version_no":        fmt.Sprint(got.CatalogVersion),
				"checkpoint_lsn":            got.Checkpoint.String(),
				"redo_lsn":                  got.Redo.String(),
				"timeline_id":               got.CheckpointTimeline.String(),
				"min_recovery_end_lsn":      got.MinRecovery.LSN.String(),
				"min_recovery_end_timeline": got.MinRecovery.Timeline.String(),
			})
			if got.State != wal.StateProduction {
				t.Errorf("state: got %v, want %v", got.State, wal.StateProduction)
			}
			if got.SegmentSize != 1<<20 || got.BlockSize != 8192 || got.WALBlockSize != 8192 || got.ChecksumVersion != 1 {
				t.Errorf("sizes and checksums: got %+v", got)
			}
		})
	}
}

func wantText(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name, g := range got {
		if w := want[name]; g != w {
			t.Errorf("%s: got %q, want %q", name, g, w)
		}
	}
}

// The control files beside the pg_tde recordings are those of fresh clusters
// of PostgreSQL 17; identifier and sizes are the recorded server's.
func TestParseControlOfVersion17(t *testing.T) {
	scenarios, err := fixtures.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			b, err := s.Read("global/pg_control")
			if err != nil {
				t.Fatal(err)
			}
			got, err := wal.ParseControl(b)
			if err != nil {
				t.Fatal(err)
			}
			want := wal.Control{
				SystemID: s.SystemID, ControlVersion: 1700, CatalogVersion: 202406281, State: wal.StateShutdown,
				CheckpointTimeline: 1, BlockSize: 8192, WALBlockSize: 8192, SegmentSize: s.Segments[0].Size, ChecksumVersion: 1,
				Checkpoint: got.Checkpoint, Redo: got.Checkpoint,
			}
			if got != want {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestParseControlRefuses(t *testing.T) {
	good := controlFile(t)
	version := func(v uint32) []byte { return patched(good, 8, v) }
	tests := []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, wal.ErrControl},
		{"cut in the version", good[:11], wal.ErrControl},
		{"cut before the CRC", good[:291], wal.ErrControl},
		{"all zero", make([]byte, 8192), wal.ErrControl},
		{"PostgreSQL 12", version(1201), wal.ErrControl},
		{"a later PostgreSQL", version(1900), wal.ErrControl},
		{"other byte order", version(1700 << 16), wal.ErrControl},
		{"version of another layout", version(1800), wal.ErrControlCRC},
		{"a changed byte", patched(good, 0, 1), wal.ErrControlCRC},
		{"a changed CRC", patched(good, 288, 1), wal.ErrControlCRC},
		{"no valid segment size", resealed(patched(good, 228, 1<<20+1)), wal.ErrControl},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if c, err := wal.ParseControl(tt.in); !errors.Is(err, tt.want) || c != (wal.Control{}) {
				t.Errorf("got %+v, %v; want %v", c, err, tt.want)
			}
		})
	}
}

// Every field by its place, with a value of its own: a server at rest has
// zeros in many of them.
func TestParseControlFields(t *testing.T) {
	got, err := wal.ParseControl(unlikely(controlFile(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := wal.Control{
		SystemID: 0x0102030405060708, ControlVersion: 1700, CatalogVersion: 0x11, State: wal.StateArchiveRecovery,
		Checkpoint: 0x2122232425262728, Redo: 0x3132333435363738, CheckpointTimeline: 0x41,
		MinRecovery: wal.Location{Timeline: 0x61, LSN: 0x5152535455565758},
		BlockSize:   4096, WALBlockSize: 16384, SegmentSize: 32 << 20, ChecksumVersion: 0,
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// unlikely gives a control file other values in every field that we read.
func unlikely(b []byte) []byte {
	b = bytes.Clone(b)
	for off, v := range map[int]uint64{0: 0x0102030405060708, 32: 0x2122232425262728, 40: 0x3132333435363738, 136: 0x5152535455565758} {
		binary.LittleEndian.PutUint64(b[off:], v)
	}
	for off, v := range map[int]uint32{12: 0x11, 16: 5, 48: 0x41, 144: 0x61, 216: 4096, 224: 16384, 228: 32 << 20, 252: 0} {
		binary.LittleEndian.PutUint32(b[off:], v)
	}
	return resealed(b)
}

func TestControlNeedsNoPadding(t *testing.T) {
	good := controlFile(t)
	if _, err := wal.ParseControl(good[:292]); err != nil {
		t.Error(err)
	}
}

func TestStatesPrintAsPostgreSQLPrintsThem(t *testing.T) {
	want := []string{
		"starting up", "shut down", "shut down in recovery", "shutting down",
		"in crash recovery", "in archive recovery", "in production", "unrecognized status code",
	}
	for i, want := range want {
		if got := wal.DBState(i).String(); got != want {
			t.Errorf("state %d: got %q, want %q", i, got, want)
		}
	}
}

func controlFile(t *testing.T) []byte {
	t.Helper()
	b, err := fixtures.Read("pgtde/A-plain/global/pg_control")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func patched(b []byte, off int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[off:], v)
	return b
}

// resealed gives a control file the CRC of its content.
func resealed(b []byte) []byte {
	crcAt := 288
	if binary.LittleEndian.Uint32(b[8:]) == 1800 {
		crcAt = 292
	}
	return patched(b, crcAt, crc32.Checksum(b[:crcAt], crc32.MakeTable(crc32.Castagnoli)))
}

func FuzzParseControl(f *testing.F) {
	err := fs.WalkDir(fixtures.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "pg_control" {
			return err
		}
		b, err := fixtures.Read(name)
		f.Add(b)
		f.Add(b[:296])
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := wal.ParseControl(b)
		if err == nil && !wal.ValidSegmentSize(c.SegmentSize) {
			t.Errorf("segments of %d bytes", c.SegmentSize)
		}
	})
}
