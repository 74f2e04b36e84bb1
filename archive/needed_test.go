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

// pushRotations archives scenario C, whose server's key is rotated twice,
// beside the key states that there were.
func pushRotations(t *testing.T, states ...string) *recordedCluster {
	t.Helper()
	r := newRecorded(t, "C-rotation", archive.Options{})
	for i, segment := range []string{"A", "B", "C", "D"} {
		r.push("00000001000000000000000"+segment, states[i])
	}
	return r
}

var inTime = []string{"0-initial", "1-rotated-same-provider", "2-after-restart", "3-rotated-second-provider"}

func neededKeys(t *testing.T, a *archive.Archive, from, to wal.LSN, timeline wal.Timeline) *archive.Needed {
	t.Helper()
	n, err := a.NeededKeys(t.Context(), from, to, timeline)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantNeeded(t *testing.T, n *archive.Needed, want ...string) {
	t.Helper()
	var got []string
	for _, k := range n.Keys {
		got = append(got, fmt.Sprintf("%v %s in %s (%s) %s", k.Scope, k.Key, k.Provider, k.Type, k.Location))
	}
	if !slices.Equal(got, want) {
		t.Errorf("needed are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantUnknown(t *testing.T, n *archive.Needed, want ...string) {
	t.Helper()
	if len(n.Unknown) != len(want) {
		t.Errorf("not known: %q, want %q", n.Unknown, want)
		return
	}
	for i := range want {
		if !strings.Contains(n.Unknown[i], want[i]) {
			t.Errorf("not known: %q, want %q", n.Unknown[i], want[i])
		}
	}
}

const (
	alpha1 = "server key-alpha-1 in prov-one-alpha (file) /srv/tde/c-keyring.per"
	alpha2 = "server key-alpha-2 in prov-one-alpha (file) /srv/tde/c-keyring.per"
	alpha3 = "server key-alpha-3 in prov-two-alpha (file) /srv/tde/c-keyring2.per"
)

func TestNeededKeysOfRecordedRotations(t *testing.T) {
	r := pushRotations(t, inTime...)
	for _, c := range []struct {
		name     string
		from, to wal.LSN
		want     []string
	}{
		{"all of it", 0xA00000, 0xDFFFFF, []string{alpha1, alpha2, alpha3}},
		{"before the first rotation", 0xA00000, 0xAFFFFF, []string{alpha1}},
		{"up to the first rotation", 0xA52A28, 0xB05F20, []string{alpha1, alpha2}},
		{"between the rotations", 0xC00000, 0xC80000, []string{alpha2}},
		{"up to before the second", 0xC00000, 0xD00100, []string{alpha2, alpha3}}, // the key files of D's segment
		{"behind all of it", 0xD249C0, 0xDFFFFF, []string{alpha3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := neededKeys(t, r.archive, c.from, c.to, 0)
			wantNeeded(t, n, c.want...)
			wantUnknown(t, n)
			for _, k := range n.Keys {
				if k.Because == "" || k.At.LSN == 0 {
					t.Errorf("%s: because %q at %v", k.Key, k.Because, k.At)
				}
			}
		})
	}
}

// Where archiving lagged behind, key files show keys before the WAL does. What
// was in force earlier nobody saw, and that is said.
func TestNeededKeysWhenArchivingLags(t *testing.T) {
	late := "4-after-second-restart"
	r := pushRotations(t, late, late, late, late)
	n := neededKeys(t, r.archive, 0xA00000, 0xDFFFFF, 0)
	wantNeeded(t, n, alpha3, alpha2)
	wantUnknown(t, n, `server key rotated to "key-alpha-3" in provider -2, at`)

	r = pushRotations(t, inTime[0], late, late, late) // the first snapshot was in time
	n = neededKeys(t, r.archive, 0xA00000, 0xDFFFFF, 0)
	wantNeeded(t, n, alpha1, alpha2, alpha3)
	wantUnknown(t, n)
	n = neededKeys(t, r.archive, 0xB2D768, 0xC00000, 0) // the key files there are ahead: alpha-2 was in force
	wantNeeded(t, n, alpha2, alpha3)
}

// What is not in the archive may hide a rotation.
func TestNeededKeysTellsGaps(t *testing.T) {
	r := newRecorded(t, "C-rotation", archive.Options{})
	r.push("00000001000000000000000A", inTime[0])
	r.push("00000001000000000000000C", inTime[2])
	wantUnknown(t, neededKeys(t, r.archive, 0xA00000, 0xEFFFFF, 0),
		"WAL from 0/B00000 to 0/C00000 is not in the archive", "WAL from 0/D00000 to 0/F00000 is not in the archive")
	wantUnknown(t, neededKeys(t, r.archive, 0xA00000, 0xFFFFFFFFFFFFFFFF, 0), "WAL from 0/B00000", "WAL from 0/D00000")
}

// Rotations on a branch that was left are no business of a replay that took the
// other.
func TestNeededKeysAlongTimelines(t *testing.T) {
	h := tdeHost(t, "k1")
	a, _ := h.newArchive()
	mustPush(t, a, h.dir, h.full())
	fork := h.LSN()
	standby := h.Clone()
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "dead"))
	mustPush(t, a, h.dir, h.full())
	h.Writer = standby
	h.Promote(2, 0)
	mustPush(t, a, h.dir, h.put("00000002.history", []byte(fmt.Sprintf("1\t%v\tno recovery target specified\n", fork))))
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k2"))
	mustPush(t, a, h.dir, h.full())
	end := h.LSN()
	keysOf := func(n *archive.Needed) (names []string) {
		for _, k := range n.Keys {
			names = append(names, k.Key)
		}
		return names
	}
	if got := keysOf(neededKeys(t, a, 0x300000, end-1, 0)); !slices.Equal(got, []string{"k1", "k2"}) {
		t.Errorf("along the newest timeline: %q", got)
	}
	if got := keysOf(neededKeys(t, a, 0x300000, end-1, 1)); !slices.Equal(got, []string{"k1", "dead"}) {
		t.Errorf("along timeline 1: %q", got)
	}
	if _, err := a.NeededKeys(t.Context(), 1, 2, 7); err == nil {
		t.Error("a timeline that is not there was accepted")
	}
}

// The provider of a key may move while the key stays.
func TestNeededKeysThroughAMovedProvider(t *testing.T) {
	h := tdeHost(t, "k1")
	a, _ := h.newArchive()
	mustPush(t, a, h.dir, h.full())
	moved := tdetest.Provider(-1, "local", `{"path":"/elsewhere"}`, 1)
	h.TDE(wal.TDEWriteKeyProvider, tdetest.ProviderWrite(1664, 0, moved))
	mustPush(t, a, h.dir, h.full())
	wantNeeded(t, neededKeys(t, a, 0x300000, 0x4FFFFF, 0),
		"server k1 in local (file) keyring.per", "server k1 in local (file) /elsewhere")
}

// A cluster that never had pg_tde needs none of its keys.
func TestNeededKeysOfAPlainCluster(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	mustPush(t, a, h.dir, h.full())
	if n := neededKeys(t, a, 0x300000, 0x3FFFFF, 0); n.Logged || len(n.Keys) > 0 {
		t.Errorf("got %+v", n)
	}
}

// No list is given from a log that lacks something.
func TestNeededKeysWantsASoundLog(t *testing.T) {
	_, a, b, _ := rotatedHost(t)
	remake(t, b, "tde/00000004", nil)
	_, err := a.NeededKeys(t.Context(), 0x300000, 0x6FFFFF, 0)
	wantRefusal(t, err, archive.ErrEventLog, "tde/00000004")
}

// After a rebuild without snapshots, the keys that segments name are needed.
func TestNeededKeysFromSegments(t *testing.T) {
	r := pushRotations(t, inTime...)
	for _, object := range objects(t, r.memory) {
		if strings.HasPrefix(object, "tde/") {
			remake(t, r.memory, object, nil)
		}
	}
	rebuild(t, r.archive)
	n := neededKeys(t, r.archive, 0xA00000, 0xDFFFFF, 0)
	wantNeeded(t, n,
		"server key-alpha-1 in prov-one-alpha (file) ",
		"server key-alpha-2 in  () ",
		"server key-alpha-2 in prov-one-alpha (file) ",
		"server key-alpha-3 in prov-two-alpha (file) /srv/tde/c-keyring2.per")
	wantUnknown(t, n, "no key files of a server were ever seen")
}
