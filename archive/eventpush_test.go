package archive_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt/tde"
	"walarchive/crypt/tde/tdetest"
	"walarchive/fixtures"
	"walarchive/keys"
	"walarchive/storage/storagetest"
)

// recordedCluster is a recorded cluster whose segments are archived one by one.
type recordedCluster struct {
	t       *testing.T
	s       fixtures.Scenario
	host    fixtures.Host
	dir     *archive.DataDir
	archive *archive.Archive
	bucket  *storagetest.Recorder
	memory  *storagetest.Memory
	ring    *keys.Ring
	options archive.Options
}

// reopen is what the next process does: it knows nothing but the spool.
func (r *recordedCluster) reopen() {
	r.t.Helper()
	var err error
	if r.archive, err = archive.Open(r.t.Context(), r.bucket, r.ring, r.options); err != nil {
		r.t.Fatal(err)
	}
}

func newRecorded(t *testing.T, scenario string, o archive.Options) *recordedCluster {
	t.Helper()
	s, err := fixtures.Open(scenario)
	if err != nil {
		t.Fatal(err)
	}
	host, err := s.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &recordedCluster{t: t, s: s, host: host, dir: dataDir(t, host.PGData), ring: newRing(t), memory: storagetest.NewMemory(), options: o}
	r.bucket = &storagetest.Recorder{Bucket: r.memory}
	r.options.TDE, r.options.Host = fetchFrom(host.Keyrings), "db1"
	r.archive = initArchive(t, r.bucket, r.ring, r.dir, r.options)
	return r
}

// push archives a segment beside a key state, and gives the calls of the store.
func (r *recordedCluster) push(segment, state string) []storagetest.Call {
	r.t.Helper()
	r.put(segment, state)
	r.bucket.Reset()
	mustPush(r.t, r.archive, r.dir, filepath.Join(r.host.PGData, "pg_wal", segment))
	return r.bucket.Calls()
}

func (r *recordedCluster) put(segment, state string) {
	r.t.Helper()
	if err := r.host.SetKeys(state); err != nil {
		r.t.Fatal(err)
	}
	for _, seg := range r.s.Segments {
		if seg.Name == segment {
			r.write(seg)
			return
		}
	}
	r.t.Fatalf("no segment %s", segment)
}

// write lays a segment down as the server had it. Of some only the plaintext is
// stored, which the server's keys encrypt.
func (r *recordedCluster) write(seg fixtures.Segment) {
	r.t.Helper()
	if seg.HasRaw() {
		if _, err := r.host.PutSegment(seg); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	b, err := seg.Plain()
	if err != nil {
		r.t.Fatal(err)
	}
	name, err := wal.ParseSegment(seg.Name, seg.Size)
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := tde.Open(filepath.Join(r.host.PGData, r.s.KeyDir()))
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := tde.NewKeys(d, fetchFrom(r.host.Keyrings)).Cipher(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	c.XOR(b, 0)
	if err := os.WriteFile(filepath.Join(r.host.PGData, "pg_wal", seg.Name), b, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// log reads the event log, which must be sound.
func (r *recordedCluster) log() *archive.EventLog {
	r.t.Helper()
	return soundLog(r.t, r.archive)
}

func soundLog(t *testing.T, a *archive.Archive) *archive.EventLog {
	t.Helper()
	l, err := a.EventLog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

// describe is a log in short: places, records, and the server's key that
// snapshots show.
func describe(t *testing.T, l *archive.EventLog) []string {
	t.Helper()
	var all []string
	for _, e := range l.Events {
		what := "snapshot"
		switch {
		case e.Info != 0:
			ev, err := tde.ParseEvent(wal.TDERecord{LSN: e.At.LSN, Info: e.Info, Payload: e.Payload})
			if err != nil {
				t.Fatal(err)
			}
			what = ev.String()
		case e.Cut:
			what = "cut"
		case len(e.Snapshot.Principals) > 0:
			what += " " + e.Snapshot.Principals[0].KeyName
		}
		all = append(all, fmt.Sprintf("%v %v %s", e.At.Timeline, e.At.LSN, what))
	}
	return all
}

func wantLog(t *testing.T, l *archive.EventLog, want ...string) {
	t.Helper()
	if got := describe(t, l); !slices.Equal(got, want) {
		t.Errorf("the event log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Rotations between and within segments are in the log, with the key files
// beside them; so does steps.txt tell it.
func TestPushRecordsRotations(t *testing.T) {
	r := newRecorded(t, "C-rotation", archive.Options{})
	for _, c := range []struct{ segment, state string }{
		{"00000001000000000000000A", "0-initial"},
		{"00000001000000000000000B", "1-rotated-same-provider"},
		{"00000001000000000000000C", "2-after-restart"},
		{"00000001000000000000000D", "3-rotated-second-provider"},
	} {
		r.push(c.segment, c.state)
	}
	l := r.log()
	wantLog(t, l,
		"1 0/A52A28 snapshot key-alpha-1",
		`1 0/B05F20 server key rotated to "key-alpha-2" in provider -1`,
		"1 0/B2D768 snapshot key-alpha-2",
		"1 0/C461F0 snapshot key-alpha-2",
		"1 0/D00028 provider -2 written (server): \"prov-two-alpha\" (file) at /srv/tde/c-keyring2.per",
		`1 0/D004E0 server key rotated to "key-alpha-3" in provider -2`,
		"1 0/D249C0 snapshot key-alpha-3",
	)
	if l.Entries != 4 {
		t.Errorf("%d entries, want one for each push", l.Entries)
	}
	if got := l.Events[0].Node; got != "db1:"+r.dir.Path {
		t.Errorf("the node is %q", got)
	}
}

// A push with nothing new asks the store nothing that it would not ask without
// pg_tde, also in the next process.
func TestPushWithoutEventsAsksNothing(t *testing.T) {
	r := newRecorded(t, "B-single-key", archive.Options{Spool: t.TempDir()})
	if calls := r.push("00000001000000000000000A", "final"); countPrefix(calls, "tde/") == 0 {
		t.Errorf("the first push recorded no snapshot: %v", calls)
	}
	if calls := r.push("00000001000000000000000B", "final"); len(calls) != 1 {
		t.Errorf("the second push called %v, want one put", calls)
	}
	r.reopen()
	if calls := r.push("00000001000000000000000C", "final"); len(calls) != 1 {
		t.Errorf("the next process called %v, want one put", calls)
	}
	wantLog(t, r.log(), "1 0/B00000 snapshot server-key-alpha-1")
}

func countPrefix(calls []storagetest.Call, prefix string) int {
	n := 0
	for _, c := range calls {
		if strings.HasPrefix(c.Name, prefix) {
			n++
		}
	}
	return n
}

// tdeHost is a server with synthetic WAL, in plaintext, and a key directory.
func tdeHost(t *testing.T, key string) *host {
	h := newHost(t, small)
	tdetest.KeyFile{KeyName: key}.Write(t, h.dir.Path, tde.Percona)
	return h
}

// A record that crosses a segment's end is recorded once both are stored,
// whichever is pushed first.
func TestPushRecordsWhatCrosses(t *testing.T) {
	for _, order := range []string{"in order", "the later first"} {
		for _, left := range []int{8, 24, 64, 256} {
			t.Run(fmt.Sprintf("%s, %d bytes before the end", order, left), func(t *testing.T) {
				h := tdeHost(t, "k1")
				a, _ := h.newArchive()
				h.Fill(left)
				at := h.LSN()
				h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k2"))
				h.Fill(0)
				paths := []string{h.putSegment(3), h.putSegment(4)}
				if order != "in order" {
					slices.Reverse(paths)
				}
				for _, p := range paths {
					mustPush(t, a, h.dir, p)
				}
				want := fmt.Sprintf(`1 %v server key rotated to "k2" in provider -1`, at)
				if got := describe(t, soundLog(t, a)); !slices.Contains(got, want) {
					t.Errorf("the event log is %q, want %q in it", got, want)
				}
			})
		}
	}
}

// PostgreSQL pushes again whatever was not acknowledged: the log does not grow.
func TestPushAgainRecordsNothing(t *testing.T) {
	for _, spool := range []string{"", t.TempDir()} {
		h := tdeHost(t, "k1")
		b := storagetest.NewMemory()
		ring := newRing(t)
		o := archive.Options{Host: "db1", Spool: spool}
		a := initArchive(t, b, ring, h.dir, o)
		h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k2"))
		path := h.full()
		for range 3 {
			mustPush(t, a, h.dir, path)
			var err error
			if a, err = archive.Open(t.Context(), b, ring, o); err != nil {
				t.Fatal(err)
			}
		}
		if l := soundLog(t, a); l.Entries != 1 || len(l.Events) != 2 {
			t.Errorf("spool %q: %d entries with %q", spool, l.Entries, describe(t, l))
		}
	}
}

// Two nodes that archive the same WAL say the same; each has its own snapshots.
func TestPushFromTwoNodes(t *testing.T) {
	h := tdeHost(t, "k1")
	a, b := h.newArchive()
	h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k2"))
	path := h.full()
	mustPush(t, a, h.dir, path)
	standby := newHost(t, small)
	tdetest.KeyFile{KeyName: "k1"}.Write(t, standby.dir.Path, tde.Percona)
	mustPush(t, a, standby.dir, standby.put(filepath.Base(path), h.Segment(3)))
	l := soundLog(t, a)
	if got := describe(t, l); len(got) != 3 || l.Entries != 2 {
		t.Errorf("%d entries with %q", l.Entries, got)
	}
	if n := len(objects(t, b)); n != 5 { // cluster.json, keys/1, tde/1, tde/2, the segment
		t.Errorf("%d objects", n)
	}
}

// A server without pg_tde has no event log, and none of its keys either.
func TestPushWithoutPGTDE(t *testing.T) {
	h := newHost(t, small)
	a, b := h.newArchive()
	path := h.full()
	mustPush(t, a, h.dir, path)
	wantObjects(t, b, "wal/00000001/00000001/00000000/"+filepath.Base(path))
}

// Neither a spool that cannot be written nor a damaged log keeps WAL from being
// archived.
func TestPushGoesOnWithoutTheLog(t *testing.T) {
	t.Run("no spool", func(t *testing.T) {
		h := tdeHost(t, "k1")
		spool := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(spool, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		a := initArchive(t, storagetest.NewMemory(), newRing(t), h.dir, archive.Options{Spool: spool, Log: slog.New(slog.NewTextHandler(&log, nil))})
		mustPush(t, a, h.dir, h.full())
		if !strings.Contains(log.String(), "spool") {
			t.Errorf("the log says nothing: %s", &log)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		h := tdeHost(t, "k1")
		a, b := h.newArchive()
		mustPush(t, a, h.dir, h.full())
		overwrite(t, b, "tde/00000001", flip(sealed(t, b, "tde/00000001"), 1000))
		h.TDE(wal.TDERotatePrincipalKey, tdetest.Rotation(1664, -1, "k2"))
		mustPush(t, a, h.dir, h.full())
		l, err := a.EventLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Problems) != 1 || l.Problems[0].Object != "tde/00000001" || l.Entries != 1 {
			t.Errorf("%d entries, problems %v", l.Entries, l.Problems)
		}
	})
}
