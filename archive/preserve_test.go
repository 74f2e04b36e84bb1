package archive_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/archive/wal/waltest"
	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/keys"
)

// node is a server of the small cluster that encrypts all its WAL under keys of
// its own, and archives in some mode.
type node struct {
	t   testing.TB
	dir *archive.DataDir
	a   *archive.Archive
}

// newNode adds a node to the site. Without a way to keys it has its own.
func (s *site) newNode(o archive.Options) *node {
	s.t.Helper()
	return (&node{t: s.t, dir: encrypted(s.t)}).in(s, o)
}

// in is the same server with other options.
func (n *node) in(s *site, o archive.Options) *node {
	s.t.Helper()
	if o.TDE == nil {
		o.TDE = n.fetch()
	}
	a, err := archive.Open(s.t.Context(), s.calls, s.ring, o)
	if err != nil {
		s.t.Fatal(err)
	}
	return &node{s.t, n.dir, a}
}

// preserving are the options of a node that has no key at hand.
func preserving(t testing.TB) archive.Options {
	return archive.Options{Mode: archive.Preserve, TDE: noKeys(t)}
}

func (n *node) fetch() tde.Fetch { return fetchFrom(n.dir.Path) }

// put writes a WAL file, given in plaintext, into pg_wal as the node has it.
func (n *node) put(name string, plain []byte) (path string, raw []byte) {
	n.t.Helper()
	raw = bytes.Clone(plain)
	decrypt(n.t, n.dir, n.fetch(), strings.TrimSuffix(name, ".partial"), raw) // encrypting is the same
	path = filepath.Join(n.dir.Path, "pg_wal", name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		n.t.Fatal(err)
	}
	return path, raw
}

// push archives a WAL file that is given in plaintext.
func (n *node) push(name string, plain []byte) (*archive.Pushed, error) {
	n.t.Helper()
	path, _ := n.put(name, plain)
	return n.a.Push(n.t.Context(), n.dir, path)
}

func (n *node) mustPush(name string, plain []byte) *archive.Pushed {
	n.t.Helper()
	done, err := n.push(name, plain)
	if err != nil {
		n.t.Fatalf("push %s: %v", name, err)
	}
	return done
}

// outOfReach is a key service that does not answer.
func outOfReach(context.Context, tde.Provider, string) (crypt.Key, error) {
	return crypt.Key{}, keys.ErrUnavailable
}

// noSuchKey is a key service that has lost its keys.
func noSuchKey(context.Context, tde.Provider, string) (crypt.Key, error) {
	return crypt.Key{}, keys.ErrNoKey
}

// third is the site's segment 3, complete, in plaintext.
func (s *site) third() []byte {
	s.Fill(0)
	return s.Segment(3)
}

var three = seg(1, 3)

// What is stored is what the server had, and what it takes to read it: nobody
// is asked for a key, and the same file again is success.
func TestPreserveStoresCiphertext(t *testing.T) {
	for _, o := range []archive.Options{preserving(t), preserving(t).ReadTwice()} {
		s := newSite(t, archive.Options{})
		n := s.newNode(o)
		path, raw := n.put(three, s.third())
		done := mustPush(t, n.a, n.dir, path)
		if done.Proof != archive.ProofPreserved || done.Already {
			t.Errorf("got %+v", done)
		}
		stored, facts, err := n.a.Unseal(t.Context(), archive.KindSegment, done.Object)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored, raw) {
			t.Error("stored are other bytes than the server had")
		}
		if facts.TDE == nil || facts.WAL != nil || facts.Source == nil || facts.Source.Principal != "server-key" || facts.Source.Provider != "local" {
			t.Errorf("got facts %+v with source %+v", facts, facts.Source)
		}
		if again := mustPush(t, n.a, n.dir, path); !again.Already {
			t.Error("the same file was stored again")
		}
		mustRestore(t, s.open(n.dir), n.dir, three, raw)
	}
}

// Without an encrypted range a segment is archived as in the other mode, with
// every check.
func TestPreserveOfPlaintext(t *testing.T) {
	s := newSite(t, archive.Options{Mode: archive.Preserve, TDE: noKeys(t)})
	plain := s.third()
	if done := mustPush(t, s.a, s.dir, s.put(three, plain)); done.Proof != archive.ProofFull {
		t.Errorf("got %+v", done)
	}
	emptyKeyDir(t, s.dir)
	_, raw := s.newNode(archive.Options{Mode: archive.Preserve}).put(seg(1, 4), s.fourth())
	_, err := s.a.Push(t.Context(), s.dir, s.put(seg(1, 4), raw))
	wantRefusal(t, err, archive.ErrInvalid, "noise, probably encrypted")
}

// fourth is segment 4, complete, in plaintext.
func (s *site) fourth() []byte {
	s.Fill(0)
	return s.Segment(4)
}

// What can be seen without a key is refused.
func TestPreserveRefuses(t *testing.T) {
	s := newSite(t, archive.Options{})
	n := s.newNode(preserving(t))
	plain := s.third()
	path, raw := n.put(three, plain)
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T)
		kind  error
		text  string
	}{
		{"plaintext under an encrypted range", func(t *testing.T) { writeTo(t, path, plain) }, archive.ErrInvalid, "plaintext, though entry 0"},
		{"a page of plaintext", func(t *testing.T) {
			writeTo(t, path, append(bytes.Clone(raw[:8*wal.PageSize]), plain[8*wal.PageSize:]...))
		}, archive.ErrInvalid, "plaintext, though entry 0"},
		{"a short file", func(t *testing.T) { writeTo(t, path, raw[:1000]) }, archive.ErrInvalid, "it has 1000 bytes"},
		{"no provider", func(t *testing.T) { writeTo(t, filepath.Join(n.dir.Path, "pg_tde", "1664_providers"), nil) }, archive.ErrTDE, "is not in 1664_providers"},
		{"a cut wal_keys", func(t *testing.T) {
			if err := os.Truncate(filepath.Join(n.dir.Path, "pg_tde", "wal_keys"), 100); err != nil {
				t.Fatal(err)
			}
		}, archive.ErrTDE, "wal_keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			writeTo(t, path, raw)
			c.spoil(t)
			_, err := n.a.Push(t.Context(), n.dir, path)
			wantRefusal(t, err, c.kind, c.text)
			wantObjects(t, s.stored)
		})
	}
}

func writeTo(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Each node's copy has a place of its own, and any that opens will do.
func TestPreserveOfSeveralNodes(t *testing.T) {
	s := newSite(t, archive.Options{})
	one, two := s.newNode(preserving(t)), s.newNode(preserving(t))
	plain := s.third()
	first := one.mustPush(three, plain)
	second := two.mustPush(three, plain)
	if filepath.Base(first.Object) != three || !strings.HasPrefix(second.Object, first.Object+".node-") || second.Already {
		t.Errorf("stored as %s and %s", first.Object, second.Object)
	}
	for _, n := range []*node{one, two} {
		if done := n.mustPush(three, plain); !done.Already {
			t.Errorf("%s was stored again", done.Object)
		}
	}
	_, err := two.push(three, flip(plain, 5000))
	wantRefusal(t, err, archive.ErrConflict, "already archived with other content")
	_, err = one.push(three, flip(plain, 5000))
	wantRefusal(t, err, archive.ErrConflict, "already archived with other content")

	get := func(t *testing.T, fetch tde.Fetch) (*archive.Got, error) {
		t.Helper()
		a, err := archive.Open(t.Context(), s.calls, s.ring, archive.Options{TDE: fetch})
		if err != nil {
			t.Fatal(err)
		}
		b, got, err := restore(t, a, s.target, three, archive.GetOptions{})
		if err == nil && !bytes.Equal(b, plain) {
			t.Error("the plaintext is another")
		}
		return got, err
	}
	for _, c := range []struct {
		name  string
		fetch tde.Fetch
		from  string
	}{
		{"the first opens", one.fetch(), first.Object},
		{"the second opens", two.fetch(), second.Object},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := get(t, c.fetch); err != nil || got.Object != c.from {
				t.Errorf("got %+v, %v, want it from %s", got, err, c.from)
			}
		})
	}
	t.Run("none opens", func(t *testing.T) {
		_, err := get(t, noSuchKey)
		wantRefusal(t, err, archive.ErrTDE, `key provider "local" (file): no such key`)
	})
	t.Run("the first is damaged", func(t *testing.T) {
		good := sealed(t, s.stored, first.Object)
		overwrite(t, s.stored, first.Object, flip(good, len(good)-100))
		defer overwrite(t, s.stored, first.Object, good)
		if got, err := get(t, two.fetch()); err != nil || got.Object != second.Object {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("the first is not there", func(t *testing.T) {
		s.drop(three)
		if got, err := get(t, two.fetch()); err != nil || got.Object != second.Object {
			t.Errorf("got %+v, %v", got, err)
		}
		_, err := get(t, noSuchKey)
		wantRefusal(t, err, archive.ErrTDE, "no such key")
	})
}

// A name that was taken in the other mode is compared by decrypting; where that
// cannot be, the push is refused, and says so.
func TestPushAcrossModes(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second archive.Mode
	}{
		{"resealed, then preserved", archive.Reseal, archive.Preserve},
		{"preserved, then resealed", archive.Preserve, archive.Reseal},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			n := s.newNode(archive.Options{Mode: c.first})
			plain := s.third()
			n.mustPush(three, plain)
			other := n.in(s, archive.Options{Mode: c.second})
			if done := other.mustPush(three, plain); !done.Already {
				t.Error("it was stored again")
			}
			w := waltest.New(small, 1, 3*wal.LSN(small.SegmentSize))
			w.Skip(5000)
			w.Fill(0)
			_, err := other.push(three, w.Segment(3))
			wantRefusal(t, err, archive.ErrConflict, "already archived with other content")
			if copied := strings.Join(objects(t, s.stored), " "); strings.Count(copied, three) != 1 {
				t.Errorf("stored are %v", copied)
			}
		})
	}
	t.Run("no key to compare", func(t *testing.T) {
		s := newSite(t, archive.Options{})
		n := s.newNode(archive.Options{})
		plain := s.third()
		n.mustPush(three, plain)
		m := n.in(s, archive.Options{Mode: archive.Preserve, TDE: outOfReach})
		path, _ := n.put(three, plain)
		_, err := m.a.Push(t.Context(), n.dir, path)
		wantRefusal(t, err, archive.ErrTDE, "the name is taken by a segment stored in the other tde.mode")
		quarantine(t, m.a, n.dir, path)
		if done := m.mustPush(three, plain); !done.Quarantined {
			t.Errorf("got %+v after quarantine", done)
		}
	})
}

// Incomplete segments never keep PostgreSQL from archiving on, whoever has
// archived one in whichever mode, and whatever key is missing.
func TestPreserveOfPartials(t *testing.T) {
	s := newSite(t, archive.Options{})
	s.Skip(100_000)
	plain, name := s.Segment(3), three+".partial"
	one, two := s.newNode(preserving(t)), s.newNode(preserving(t))
	var stored []string
	for _, c := range []struct {
		n       *node
		plain   []byte
		already bool
	}{
		{one, plain, false}, {one, plain, true}, {two, plain, false}, {two, plain, true},
		{one, flip(plain, 9000), false}, {two, flip(plain, 9000), false}, {two, flip(plain, 9000), true},
	} {
		done := c.n.mustPush(name, c.plain)
		if done.Already != c.already {
			t.Errorf("%s: already %v, want %v", done.Object, done.Already, c.already)
		}
		if !done.Already {
			stored = append(stored, done.Object)
		}
	}
	third := s.newNode(archive.Options{})
	if done := third.mustPush(name, plain); done.Already || !strings.Contains(done.Object, ".partial.0000") {
		t.Errorf("a resealed one was stored as %s", done.Object)
	}
	if len(stored) != 4 {
		t.Errorf("stored are %q", stored)
	}
	b, _, err := restore(t, s.open(one.dir), one.dir, three, archive.GetOptions{Partial: true})
	if err != nil {
		t.Fatal(err)
	}
	decrypt(t, one.dir, one.fetch(), three, b)
	if !bytes.Equal(b, plain) {
		t.Error("the partial segment came back as other bytes")
	}
}

// What was preserved is checked when it is restored, like what is pushed in the
// other mode.
func TestRestoreChecksWhatWasPreserved(t *testing.T) {
	for _, c := range []struct {
		name  string
		plain func(s *site) []byte
		text  string
	}{
		{"noise in the middle", func(s *site) []byte { return append(s.third()[:500<<10], bytes.Repeat([]byte{7}, 524<<10)...) }, "decrypted its WAL ends at 0/37"},
		{"a damaged record", func(s *site) []byte { return flip(s.third(), 300_000) }, "decrypted its WAL ends at 0/34"},
		{"another segment", func(s *site) []byte { s.third(); return s.fourth() }, "it begins at 0/400000"},
		{"another cluster", func(*site) []byte {
			id := small
			id.SystemID++
			w := waltest.New(id, 1, 3*wal.LSN(small.SegmentSize))
			w.Fill(0)
			return w.Segment(3)
		}, "belongs to another cluster"},
		{"sound", (*site).third, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			n := s.newNode(archive.Options{Mode: archive.Preserve})
			plain := c.plain(s)
			n.mustPush(three, plain)
			b, _, err := restore(t, n.a, s.target, three, archive.GetOptions{})
			if c.text == "" && (err != nil || !bytes.Equal(b, plain)) {
				t.Errorf("got %d bytes, %v", len(b), err)
			}
			if c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)) {
				t.Errorf("got %v, want %q", err, c.text)
			}
		})
	}
}

// Bytes that are dead behind a segment switch are restored as zeros, as in the
// other mode.
func TestPreservedTailIsCanonical(t *testing.T) {
	s := newSite(t, archive.Options{})
	n := s.newNode(archive.Options{Mode: archive.Preserve})
	s.Skip(512)
	s.Switch()
	plain := s.Segment(3)
	n.mustPush(three, append(bytes.Clone(plain[:600<<10]), bytes.Repeat([]byte{7}, 424<<10)...))
	mustRestore(t, n.a, s.target, three, plain)
}

// Behind a fork a preserved segment is zeros, too, and what was never WAL there
// does no harm.
func TestPreservedSegmentIsCutAtAFork(t *testing.T) {
	s := newSite(t, archive.Options{})
	n := s.newNode(archive.Options{Mode: archive.Preserve})
	s.Skip(300_000)
	fork := s.LSN()
	s.pushHistory(2, left(1, fork))
	s.Skip(10_000)
	plain := append(s.Segment(3)[:500<<10], bytes.Repeat([]byte{7}, 524<<10)...)
	n.mustPush(three, plain)
	b, got, err := restore(t, n.a, s.target, three, archive.GetOptions{Timeline: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := zeroed(plain, int(fork)%int(small.SegmentSize)); !bytes.Equal(b, want) || got.Cut != fork {
		t.Errorf("cut at %v, want %v; bytes differ from offset %d on", got.Cut, fork, firstDifference(b, want))
	}
}

// The principal key that wrapped the keys when the segment was archived is the
// one that counts: where it is gone, nothing is delivered, and it is named.
func TestPreservedSegmentWithoutItsPrincipalKey(t *testing.T) {
	for _, c := range []struct {
		name  string
		fetch tde.Fetch
		kind  error
	}{
		{"gone", noSuchKey, keys.ErrNoKey},
		{"out of reach", outOfReach, keys.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, archive.Options{})
			s.newNode(archive.Options{Mode: archive.Preserve}).mustPush(three, s.third())
			a, err := archive.Open(t.Context(), s.calls, s.ring, archive.Options{TDE: c.fetch})
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = restore(t, a, s.target, three, archive.GetOptions{})
			wantRefusal(t, err, archive.ErrTDE, `key provider "local" (file)`)
			if !errors.Is(err, c.kind) {
				t.Errorf("got %v, want %v", err, c.kind)
			}
		})
	}
}

// Hits cost no listing in this mode either.
func TestPreservedHitNeverLists(t *testing.T) {
	s := newSite(t, archive.Options{})
	n := s.newNode(archive.Options{Mode: archive.Preserve})
	n.mustPush(three, s.third())
	s.calls.Reset()
	if _, _, err := restore(t, n.a, s.target, three, archive.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := s.calls.Count("list"); got != 0 {
		t.Errorf("%d listings", got)
	}
}
