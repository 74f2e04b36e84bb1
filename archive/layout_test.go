package archive

import (
	"testing"

	"walarchive/archive/wal"
)

func parseName(t testing.TB, s string, size int64) wal.Name {
	t.Helper()
	n, err := wal.ParseName(s, size)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The names of objects never change.
func TestLayoutIsFrozen(t *testing.T) {
	seg := parseName(t, "0000000A0000012300000045", 16<<20)
	partial := parseName(t, "0000000A0000012300000045.partial", 16<<20)
	for _, c := range []struct{ got, want string }{
		{chainObject(12), "keys/00000012"},
		{walObject(1, seg), "wal/00000001/0000000A/00000123/0000000A0000012300000045"},
		{walObject(1, partial), "wal/00000001/0000000A/00000123/0000000A0000012300000045.partial"},
		{anotherPartial(walObject(1, partial), 0x12345000028, 1), "wal/00000001/0000000A/00000123/0000000A0000012300000045.partial.0000012345000028"},
		{anotherPartial(walObject(1, partial), 0x12345000028, 2), "wal/00000001/0000000A/00000123/0000000A0000012300000045.partial.0000012345000028.2"},
		{walObject(12, parseName(t, "0000000A.history", 16<<20)), "wal/00000012/0000000A/0000000A.history"},
		{walObject(1, parseName(t, "0000000A0000012300000045.00000028.backup", 16<<20)), "wal/00000001/0000000A/0000000A0000012300000045.00000028.backup"},
		{walObject(1, parseName(t, "000000010000000100000003", 1<<30)), "wal/00000001/00000001/00000001/000000010000000100000003"},
		{quarantineObject(1, seg, 3), "quarantine/00000001/0000000A/0000000A0000012300000045.3"},
		{damagedObject("wal/00000001/0000000A/0000000A.history", 2), "damaged/wal/00000001/0000000A/0000000A.history.2"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestParseWALObjectRefuses(t *testing.T) {
	for _, object := range []string{
		"", "wal/", "keys/00000001",
		"wal/1/00000001/00000000/000000010000000000000003",
		"wal/+0000001/00000001/00000000/000000010000000000000003",
		"wal/00000000/00000001/00000000/000000010000000000000003",
		"wal/00000001/00000002/00000000/000000010000000000000003",
		"wal/00000001/00000001/00000001/000000010000000000000003",
		"wal/00000001/00000001/000000010000000000000003",
		"wal/00000001/00000001/00000000/00000002.history",
		"wal/00000001/00000001/00000000/000000010000000000000003.partial.",
		"wal/00000001/00000001/00000000/000000010000000000000003.partial.300028",
		"wal/00000001/00000001/00000000/000000010000000000000003.partial.000000000030002a",
		"wal/00000001/00000001/00000000/000000010000000000000003.partial.0000000000300028.1",
		"wal/00000001/00000001/00000000/000000010000000000000003.partial.0000000000300028.02",
		"wal/00000001/00000001/00000000/000000010000000000000003.partial.0000000000300028/x",
		"wal/00000001/00000001/00000000/000000010000000000000003.tmp",
		"wal/00000001/00000001/00000000/000000010000000000001000",
	} {
		if s, ok := parseWALObject(object, 1<<20); ok {
			t.Errorf("%q: got %+v, want nothing", object, s)
		}
	}
}

// A name that parses is one that is formed of what it was parsed to.
func FuzzParseWALObject(f *testing.F) {
	for _, object := range []string{
		"wal/00000001/0000000A/00000123/0000000A0000012300000045",
		"wal/00000001/0000000A/00000123/0000000A0000012300000045.partial",
		"wal/00000001/0000000A/00000123/0000000A0000012300000045.partial.0000012345000028",
		"wal/00000001/0000000A/00000123/0000000A0000012300000045.partial.0000012345000028.2",
		"wal/00000012/0000000A/0000000A.history",
		"wal/00000001/0000000A/0000000A0000012300000045.00000028.backup",
		"quarantine/00000001/0000000A/0000000A0000012300000045.3",
	} {
		f.Add(object, int64(16<<20))
	}
	f.Fuzz(func(t *testing.T, object string, size int64) {
		if s, ok := parseWALObject(object, size); ok {
			stem := walObject(s.Incarnation, s.Name)
			if s.Object != object || s.Extra != (object != stem) || len(object) < len(stem) || object[:len(stem)] != stem {
				t.Errorf("%q was parsed to %+v, which is stored as %q", object, s, stem)
			}
		}
		inc := Incarnation{Number: 1, Identity: wal.Identity{SegmentSize: size}}
		if name, ok := parseQuarantine(object, inc); ok && object[:len(quarantineStem(1, name))] != quarantineStem(1, name) {
			t.Errorf("%q was parsed to %v", object, name)
		}
	})
}
