package archive_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
)

// putHistory writes the history of a timeline that left timeline 1 at at.
func (h *host) putHistory(t wal.Timeline, at wal.LSN) string {
	h.t.Helper()
	return h.put(t.Hex()+".history", fmt.Appendf(nil, "1\t%v\tno recovery target specified\n", at))
}

// partial3 is the object that the first .partial of segment 3 gets.
const partial3 = "wal/00000001/00000001/00000000/000000010000000000000003.partial"

// A .partial is proven by the history of a child that leaves its timeline where
// its records end or before: in pg_wal or in the archive. Without, it is stored
// all the same, with a warning.
func TestPushProvesPartials(t *testing.T) {
	for _, c := range []struct {
		name    string
		history func(h *host, a *archive.Archive, end wal.LSN)
		want    archive.Proof
	}{
		{"history in pg_wal", func(h *host, a *archive.Archive, end wal.LSN) { h.putHistory(2, end) }, archive.ProofHistory},
		{"history in the archive", func(h *host, a *archive.Archive, end wal.LSN) {
			path := h.putHistory(2, end)
			mustPush(h.t, a, h.dir, path)
			if err := os.Remove(path); err != nil {
				h.t.Fatal(err)
			}
		}, archive.ProofHistory},
		{"records behind the switch point", func(h *host, a *archive.Archive, end wal.LSN) { h.putHistory(2, end-512) }, archive.ProofHistory},
		{"history of a later child", func(h *host, a *archive.Archive, end wal.LSN) { h.putHistory(7, end) }, archive.ProofHistory},
		{"no history", func(h *host, a *archive.Archive, end wal.LSN) {}, archive.ProofNone},
		{"records end too early", func(h *host, a *archive.Archive, end wal.LSN) { h.putHistory(2, end+512) }, archive.ProofNone},
		{"history of a later fork", func(h *host, a *archive.Archive, end wal.LSN) { h.putHistory(2, end+2<<20) }, archive.ProofNone},
		{"history of an earlier fork", func(h *host, a *archive.Archive, end wal.LSN) { h.putHistory(2, 0x200100) }, archive.ProofNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, small)
			a, _ := h.newArchive()
			for range 40 {
				h.Skip(512)
			}
			c.history(h, a, h.LSN())
			want := dirty(h.Segment(3), 40000) // a recycled segment: old bytes behind the end
			done := mustPush(t, a, h.dir, h.put("000000010000000000000003.partial", want))
			if done.Object != partial3 || done.Proof != c.want {
				t.Errorf("got proof %q of %s, want %q of %s", done.Proof, done.Object, c.want, partial3)
			}
			if warned := len(done.Warnings) > 0; warned != (c.want == archive.ProofNone) {
				t.Errorf("got warnings %q", done.Warnings)
			}
			wantContent(t, a, h.dir, "000000010000000000000003.partial", want)
		})
	}
}

// A switch point at the start of a page is met by records that end there,
// whether or not the next page's header is there.
func TestPushProvesAtPageStarts(t *testing.T) {
	h := newHost(t, small)
	a, _ := h.newArchive()
	fillPage(h.Writer)
	at := h.LSN()
	if at%wal.PageSize != 0 {
		t.Fatalf("the records end at %v, want a page's start", at)
	}
	h.putHistory(2, at)
	seg := h.Segment(3)
	empty := wal.PageHeader{Magic: 0xD116, Timeline: 1, Address: at}
	copy(seg[at-0x300000:], empty.Append(nil))
	path := h.put("000000010000000000000003", seg)
	if done := mustPush(t, a, h.dir, path); done.Proof != archive.ProofHistory || done.Object != partial3 {
		t.Errorf("got proof %q of %s, want %q of %s", done.Proof, done.Object, archive.ProofHistory, partial3)
	}
}

// fillPage writes records up to the end of the second page.
func fillPage(w *waltest.Writer) {
	w.Skip(512)
	w.Skip(int(2*wal.PageSize-w.LSN()%wal.PageSize) - wal.ShortHeaderSize)
}

// Two standbys promoted from one timeline both hand over a .partial of the same
// name. Neither is lost, and neither blocks archiving.
func TestPushKeepsBothPartials(t *testing.T) {
	const name = "000000010000000000000003.partial"
	h := newHost(t, small)
	a, b := h.newArchive()
	contents := make([][]byte, 4)
	for i, sizes := range [][]int{{512}, {1024}, {512, 512}, {256, 768}} { // the last three end at the same LSN
		w := waltest.New(small, 1, 0x300000)
		for _, n := range sizes {
			w.Skip(n)
		}
		contents[i] = w.Segment(3)
	}
	wants := []string{partial3, partial3 + ".0000000000300428", partial3 + ".0000000000300428.2", partial3 + ".0000000000300428.3"}
	for round := range 2 { // each again: nothing new
		for i, want := range wants {
			done := mustPush(t, a, h.dir, h.put(name, contents[i]))
			if done.Object != want || done.Already != (round == 1) {
				t.Errorf("round %d, content %d: got %+v, want %s", round, i, done, want)
			}
			if i > 0 && !strings.Contains(strings.Join(done.Warnings, " "), "another") {
				t.Errorf("content %d: no warning of the other one in %q", i, done.Warnings)
			}
		}
	}
	wantObjects(t, b, wants...)
}

// A cascaded standby hands over the last segment of a timeline under its full
// name. Where a known history ends the timeline, that is a .partial, and the
// full name stays free for the complete segment.
func TestPushTakesAFullNameThatEndsAtAForkForPartial(t *testing.T) {
	h := newHost(t, small)
	a, b := h.newArchive()
	h.Skip(512)
	h.Skip(1024)
	at := h.LSN()
	path := h.put("000000010000000000000003", dirty(h.Segment(3), 8192))
	_, err := a.Push(t.Context(), h.dir, path)
	wantRefusal(t, err, archive.ErrInvalid, "nothing was written here")
	wantObjects(t, b)
	for _, other := range []wal.LSN{at - 1024, at + 8, 0x300000} {
		h.putHistory(2, other)
		_, err := a.Push(t.Context(), h.dir, path)
		wantRefusal(t, err, archive.ErrInvalid, "nothing was written here")
		wantObjects(t, b)
	}
	h.putHistory(2, at)
	done := mustPush(t, a, h.dir, path)
	if done.Object != partial3 || done.Proof != archive.ProofHistory || len(done.Warnings) != 1 {
		t.Errorf("got %+v, want %s with a warning", done, partial3)
	}
	wantContent(t, a, h.dir, "000000010000000000000003.partial", dirty(h.Segment(3), 8192))
	h.Fill(0)
	if done := mustPush(t, a, h.dir, h.putSegment(3)); done.Already || done.Proof != archive.ProofFull {
		t.Errorf("the complete segment: got %+v", done)
	}
	wantObjects(t, b, strings.TrimSuffix(partial3, ".partial"), partial3)
}

// A segment may carry pages of its timeline's ancestors, and of no other.
func TestPushKnowsAncestors(t *testing.T) {
	for _, c := range []struct {
		name, history string
		ok            bool
	}{
		{"no history", "", true},
		{"a child of the pages' timeline", "2\t0/300100\tx\n", true},
		{"a child of another", "1\t0/300100\tx\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, small)
			a, _ := h.newArchive()
			if c.history != "" {
				h.put("00000003.history", []byte(c.history))
			}
			w := waltest.New(small, 2, 0x300000)
			w.Skip(512)
			w.Promote(3, 0)
			w.Fill(0)
			_, err := a.Push(t.Context(), h.dir, h.put(w.Name(3).String(), w.Segment(3)))
			if c.ok && err != nil {
				t.Error(err)
			}
			if !c.ok {
				wantRefusal(t, err, archive.ErrInvalid, "timeline is 2, want 3, that of the name, or an ancestor of it")
			}
		})
	}
}
