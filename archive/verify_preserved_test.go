package archive_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// preservedSite has three segments of one node, the first of them by another
// one, too, and a .partial.
func preservedSite(t *testing.T) (s *site, n *node, names []string) {
	t.Helper()
	s = newSite(t, archive.Options{})
	n = s.newNode(preserving(t))
	for no := wal.SegmentNo(3); no < 6; no++ {
		s.Fill(0)
		names = append(names, seg(1, no))
		n.mustPush(seg(1, no), s.Segment(no))
	}
	s.newNode(preserving(t)).mustPush(names[0], s.Segment(3))
	s.Skip(1000)
	n.mustPush(seg(1, 6)+".partial", s.Segment(6))
	return s, n, names
}

// verified verifies the site's archive with a way to keys.
func verified(t *testing.T, s *site, level archive.Level, fetch tde.Fetch) *archive.Report {
	t.Helper()
	a, err := archive.Open(t.Context(), s.calls, s.ring, archive.Options{TDE: fetch})
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, a, archive.VerifyOptions{Level: level})
	if len(r.Unchecked) > 0 {
		t.Errorf("unchecked: %q", r.Unchecked)
	}
	return r
}

// What was preserved counts as proven only where it was decrypted; that a key is
// out of reach is no problem of the archive, that it is gone is one.
func TestVerifyPreserved(t *testing.T) {
	s, n, _ := preservedSite(t)
	for _, c := range []struct {
		name      string
		level     archive.Level
		fetch     tde.Fetch
		problems  int
		notProven int
		note      string
	}{
		{"names", archive.LevelNames, noKeys(t), 0, 0, ""},
		{"facts", archive.LevelFacts, noKeys(t), 0, 4, "4 preserved segments not proven: only level full"},
		{"full, with the keys of one node", archive.LevelFull, n.fetch(), 0, 0, ""},
		{"full, without keys", archive.LevelFull, outOfReach, 0, 4, "key service not reachable"},
		{"full, keys gone", archive.LevelFull, noSuchKey, 5, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := verified(t, s, c.level, c.fetch)
			if len(r.Problems) != c.problems || r.Timelines[0].NotProven != c.notProven || r.Timelines[0].Segments != 3 {
				t.Errorf("%d problems, %d of %d not proven, want %d and %d\n%v", len(r.Problems), r.Timelines[0].NotProven, r.Timelines[0].Segments, c.problems, c.notProven, r.Problems)
			}
			if notes := strings.Join(r.Notes, "\n"); c.note == "" && strings.Contains(notes, "not proven") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", r.Notes, c.note)
			}
			for _, p := range r.Problems {
				if p.Kind != archive.ProblemKeys {
					t.Errorf("got problem %v", p)
				}
			}
			var text bytes.Buffer
			if err := r.Text(&text); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(text.String(), ", 4 not proven\n"); got != (c.notProven > 0) {
				t.Errorf("the report says\n%s", text.String())
			}
		})
	}
}

// Each key is asked for once, however many segments need it.
func TestVerifyAsksForAKeyOnce(t *testing.T) {
	s, n, _ := preservedSite(t)
	asked := 0
	fetch := func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		asked++
		return n.fetch()(ctx, p, name)
	}
	verified(t, s, archive.LevelFull, fetch)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// Preserved segments that were never sound are found by level full.
func TestVerifyFindsWhatWasPreservedUnsound(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, s *site, n *node, names []string)
		want   archive.ProblemKind
		object string
	}{
		{"sound", func(*testing.T, *site, *node, []string) {}, "", ""},
		{"damaged record", func(t *testing.T, s *site, n *node, names []string) {
			s.drop(names[1])
			n.mustPush(names[1], flip(s.Segment(4), 300_000))
		}, archive.ProblemDamaged, seg(1, 4)},
		{"of another history", func(t *testing.T, s *site, n *node, names []string) {
			s.drop(names[1])
			other := newHost(t, small)
			other.Skip(77)
			other.Fill(0)
			other.Fill(0)
			n.mustPush(names[1], other.Segment(4))
		}, archive.ProblemBroken, seg(1, 4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, n, names := preservedSite(t)
			c.change(t, s, n, names)
			r := verified(t, s, archive.LevelFull, n.fetch())
			if c.want == "" && len(r.Problems) > 0 {
				t.Fatal(r.Problems)
			}
			if c.want != "" && (len(r.Problems) == 0 || r.Problems[0].Kind != c.want || !strings.HasSuffix(r.Problems[0].Object, c.object)) {
				t.Errorf("got %v, want %s of %s", r.Problems, c.want, c.object)
			}
		})
	}
}

// Facts that were forged, or made by a program with a mistake, are found
// without any key.
func TestVerifyChecksTheFactsOfPreservedSegments(t *testing.T) {
	s, n, names := preservedSite(t)
	object := s.object(names[1])
	raw, good, err := n.a.Unseal(t.Context(), archive.KindSegment, object)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := n.a.Unseal(t.Context(), archive.KindSegment, s.nodeCopy(names[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		object string
		change func(f *archive.Facts)
		want   archive.ProblemKind
	}{
		{"the same", object, func(*archive.Facts) {}, ""},
		{"a proof that nobody had", object, func(f *archive.Facts) { f.Proof = archive.ProofFull }, archive.ProblemDamaged},
		{"facts about its WAL", object, func(f *archive.Facts) { f.WAL = new(wal.Facts) }, archive.ProblemDamaged},
		{"no keys", object, func(f *archive.Facts) { f.TDE = &tde.Excerpt{Flavor: tde.Percona} }, archive.ProblemDamaged},
		{"another size", object, func(f *archive.Facts) { f.Size++ }, archive.ProblemDamaged},
		{"another cluster", object, func(f *archive.Facts) { f.SystemID++ }, archive.ProblemDamaged},
		{"under another node's name", object + ".node-0123456789abcdef", func(*archive.Facts) {}, archive.ProblemDamaged},
		{"another node's keys", object, func(f *archive.Facts) { f.TDE = other.TDE }, ""}, // shows only once it is decrypted
	} {
		t.Run(c.name, func(t *testing.T) {
			old := sealed(t, s.stored, object)
			if err := s.stored.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			archive.PutForged(t, n.a, c.object, small, raw, func(f *archive.Facts) {
				*f = *good
				c.change(f)
			})
			r := verified(t, s, archive.LevelFacts, noKeys(t))
			if got := kinds(r, c.object); got != string(c.want) {
				t.Errorf("found %q, want %q: %v", got, c.want, r.Problems)
			}
			overwrite(t, s.stored, c.object, old)
			if c.object != object {
				if err := s.stored.Delete(t.Context(), c.object); err != nil {
					t.Fatal(err)
				}
				if err := s.stored.Put(t.Context(), object, bytes.NewReader(old)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// kinds are the kinds of problems with an object.
func kinds(r *archive.Report, object string) string {
	var all []string
	for _, p := range r.Problems {
		if p.Object == object {
			all = append(all, string(p.Kind))
		}
	}
	return strings.Join(all, " ")
}

// nodeCopy is the object of another node's copy.
func (s *site) nodeCopy(name string) string {
	s.t.Helper()
	for _, o := range objects(s.t, s.stored) {
		if strings.Contains(o, name+".node-") {
			return o
		}
	}
	s.t.Fatalf("no other node has a copy of %s", name)
	return ""
}

// Without its own object a segment is there all the same, as a node's copy.
func TestVerifyCountsNodesCopies(t *testing.T) {
	s, n, names := preservedSite(t)
	s.drop(names[0])
	r := verified(t, s, archive.LevelFacts, noKeys(t))
	if len(r.Problems) > 0 || r.Timelines[0].Segments != 3 || r.Timelines[0].First != names[0] {
		t.Errorf("got %+v, %v", r.Timelines, r.Problems)
	}
	copied := s.nodeCopy(names[0])
	good := sealed(t, s.stored, copied)
	overwrite(t, s.stored, copied, flip(good, len(good)-100))
	if got := kinds(verified(t, s, archive.LevelFull, outOfReach), copied); got != string(archive.ProblemDamaged) {
		t.Errorf("found %q of a damaged copy", got)
	}
	done, err := n.a.Repair(t.Context(), copied)
	if err != nil || !strings.HasPrefix(done.Moved[0].Object, "damaged/"+copied) {
		t.Errorf("repair moved it to %+v, %v", done, err)
	}
}

// Info says that the newest segment's content is not proven.
func TestInfoOfPreserved(t *testing.T) {
	_, n, names := preservedSite(t)
	text, asJSON := infoForms(t, n.a)
	if !strings.Contains(text, "newest segment "+names[2]+", preserved as its server encrypted it, content not proven, archived") {
		t.Errorf("got\n%s", text)
	}
	if !strings.Contains(asJSON, `"preserved": true`) || strings.Contains(asJSON, "end_lsn") {
		t.Errorf("got\n%s", asJSON)
	}
}
