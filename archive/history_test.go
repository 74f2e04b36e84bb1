package archive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt/tde/tdetest"
)

func checkHistory(t *testing.T, a *archive.Archive) *archive.HistoryCheck {
	t.Helper()
	c, err := a.CheckHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rebuild(t *testing.T, a *archive.Archive) *archive.HistoryCheck {
	t.Helper()
	c, err := a.RebuildHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A log that push wrote lacks nothing, and rebuilding it writes nothing.
func TestHistoryIsComplete(t *testing.T) {
	_, a, b, _ := rotatedHost(t)
	before := objects(t, b)
	if c := rebuild(t, a); !c.Sound() || c.Added != 0 || c.Objects != 4 || c.Entries != 4 || c.Events != 4 {
		t.Errorf("got %+v", c)
	}
	if got := objects(t, b); !slices.Equal(got, before) {
		t.Errorf("objects %q, want %q", got, before)
	}
}

// However the log was spoilt, after a rebuild it is sound, has every record
// again, and goes on.
func TestRebuildHistory(t *testing.T) {
	for name, spoilt := range map[string][]string{
		"the oldest lost":   {"tde/00000001"},
		"one lost":          {"tde/00000002"},
		"the newest lost":   {"tde/00000004"},
		"the newest two":    {"tde/00000003", "tde/00000004"},
		"all of them":       {"tde/00000001", "tde/00000002", "tde/00000003", "tde/00000004"},
		"all but the first": {"tde/00000002", "tde/00000003", "tde/00000004"},
	} {
		for _, how := range []string{"deleted", "damaged"} {
			t.Run(name+" "+how, func(t *testing.T) {
				h, a, b, _ := rotatedHost(t)
				want := recordsOf(t, soundLog(t, a))
				for _, object := range spoilt {
					var p []byte
					if how == "damaged" {
						p = flip(sealed(t, b, object), 900)
					}
					remake(t, b, object, p)
				}
				if c := rebuild(t, a); c.Sound() {
					t.Error("nothing was found wrong")
				}
				if got := recordsOf(t, soundLog(t, a)); !slices.Equal(got, want) {
					t.Errorf("rebuilt records\n%q, want\n%q", got, want)
				}
				if c := checkHistory(t, a); !c.Sound() {
					t.Errorf("after the rebuild: %v", c.Problems)
				}
				h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k9"))
				mustPush(t, a, h.dir, h.full())
				if got := recordsOf(t, soundLog(t, a)); len(got) != len(want)+1 {
					t.Errorf("after the next push: %q", got)
				}
				wantVerifyProblems(t, a)
			})
		}
	}
}

// Garbage under a name far ahead is left behind by a rebuild, and one that is no
// entry's name costs nothing but the word about it.
func TestRebuildPastGarbage(t *testing.T) {
	h, a, b, _ := rotatedHost(t)
	want := recordsOf(t, soundLog(t, a))
	for _, name := range []string{"tde/99999999", "tde/x"} {
		if err := b.Put(t.Context(), name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	rebuild(t, a)
	if c := rebuild(t, a); c.Added != 0 || len(c.Problems) != 1 || c.Problems[0].Object != "tde/x" {
		t.Errorf("the second rebuild: %+v", c)
	}
	if err := b.Delete(t.Context(), "tde/x"); err != nil {
		t.Fatal(err)
	}
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k9"))
	mustPush(t, a, h.dir, h.full())
	if got := recordsOf(t, soundLog(t, a)); len(got) != len(want)+1 {
		t.Errorf("got records %q", got)
	}
}

// A preserved segment brings key files of its own, and hides its records.
func TestHistoryOfPreservedSegments(t *testing.T) {
	r := newRecorded(t, "C-rotation", archive.Options{Mode: archive.Preserve})
	r.push("00000001000000000000000A", "0-initial")
	r.push("00000001000000000000000B", "1-rotated-same-provider")
	wantLog(t, r.log(), "1 0/B00000 snapshot key-alpha-1", "1 0/C00000 snapshot key-alpha-2")
	for range 2 { // as it was pushed, then as the segments alone tell it
		n := neededKeys(t, r.archive, 0xA00000, 0xBFFFFF, 0)
		wantNeeded(t, n, alpha1, alpha2)
		wantUnknown(t, n, "2 segments are preserved as their server encrypted them, the first at timeline 1 at 0/A00000: records in them are not known")
		wantAudit(t, audited(t, r.archive, principal, nil), archive.OwnerServer,
			"prov-one-alpha/key-alpha-1 present no", "prov-one-alpha/key-alpha-2 present no")
		if c := checkHistory(t, r.archive); !c.Sound() || len(c.Notes) != 1 {
			t.Errorf("got %+v", c)
		}
		for _, object := range objects(t, r.memory) {
			if strings.HasPrefix(object, "tde/") {
				remake(t, r.memory, object, nil)
			}
		}
		rebuild(t, r.archive)
	}
}

// recordsOf are the records in a log, without snapshots: those are not in any
// segment.
func recordsOf(t *testing.T, l *archive.EventLog) []string {
	t.Helper()
	return slices.DeleteFunc(describe(t, l), func(s string) bool { return strings.Contains(s, "snapshot") })
}

// A log that was never written is made from segments alone, records that cross
// included.
func TestRebuildFromNothing(t *testing.T) {
	h := newHost(t, small) // no key directory: nothing of what crosses is looked for
	a, _ := h.newArchive()
	h.Fill(64)
	at := h.LSN()
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k1"))
	h.Fill(0)
	mustPush(t, a, h.dir, h.putSegment(3))
	mustPush(t, a, h.dir, h.putSegment(4))
	wantLog(t, soundLog(t, a))
	c := checkHistory(t, a)
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Detail, `not in the log: server key rotated to "k1"`) {
		t.Errorf("got problems %v", c.Problems)
	}
	if c := rebuild(t, a); c.Added != 1 {
		t.Errorf("added %d", c.Added)
	}
	wantLog(t, soundLog(t, a), fmt.Sprintf(`1 %v server key rotated to "k1" in provider -1`, at))
}

// Where snapshots are lost, segments still say under which key the server had
// them.
func TestRebuildTellsKeysOfSegments(t *testing.T) {
	r := newRecorded(t, "C-rotation", archive.Options{})
	r.push("00000001000000000000000A", "0-initial")
	r.push("00000001000000000000000B", "1-rotated-same-provider")
	for _, object := range []string{"tde/00000001", "tde/00000002"} {
		remake(t, r.memory, object, nil)
	}
	rebuild(t, r.archive)
	var got []string
	for _, e := range r.log().Events {
		got = append(got, fmt.Sprintf("%v %v", e.At.LSN, &e))
	}
	want := []string{
		`0/A52A28 WAL under server key "key-alpha-1" of provider "prov-one-alpha" (file)`,
		`0/B05F20 server key rotated to "key-alpha-2" in provider -1`,
		`0/B2D768 WAL under server key "key-alpha-2" of provider "prov-one-alpha" (file)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

// A segment that cannot be read may hold a rotation: nothing is written.
func TestRebuildNeedsAllSegments(t *testing.T) {
	_, a, b, _ := rotatedHost(t)
	object := "wal/00000001/00000001/00000000/000000010000000000000004"
	remake(t, b, object, flip(sealed(t, b, object), 900))
	remake(t, b, "tde/00000002", nil)
	c := checkHistory(t, a)
	if len(c.Unchecked) != 1 || !strings.HasPrefix(c.Unchecked[0], object) {
		t.Errorf("not checked: %q", c.Unchecked)
	}
	if _, err := a.RebuildHistory(t.Context()); err == nil {
		t.Error("rebuilt")
	} else {
		wantRefusal(t, err, err, "nothing was written")
	}
}
