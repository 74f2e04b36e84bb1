package keys_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

// newIdentity is an identity of its own.
func newIdentity(t testing.TB) escrow.Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := escrow.ParseIdentities([]byte(id.String()))
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// inSafe is a ring without any principal key, as in the safe.
func inSafe(ids ...escrow.Identity) *keys.Ring {
	return keys.NewRing(map[string]keys.Provider{"local": fixed{}}).WithIdentities(ids)
}

// escrowed is story, put into escrow before its rotation or after.
func escrowed(t *testing.T, ring *keys.Ring, to escrow.Recipient, early bool) ([][]byte, keys.Anchor) {
	t.Helper()
	first, err := keys.StartChain(t.Context(), ring, rand.Reader, ref("one"), stamp, json.RawMessage(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	entries := [][]byte{first}
	c := read(t, ring, entries)
	add := func(entry []byte, err error) { entries = append(entries, grow(t, c, entry, err)) }
	if early {
		add(c.AddEscrow(t.Context(), to, stamp))
	}
	add(c.Rotate(t.Context(), rand.Reader, ref("two"), stamp))
	if !early {
		add(c.AddEscrow(t.Context(), to, stamp))
	}
	add(c.Record(stamp, json.RawMessage(`{"c":3}`)))
	return entries, c.Anchor()
}

// wantSealKeys checks that two readers have the same keys of all epochs.
func wantSealKeys(t *testing.T, got, want *keys.Chain) {
	t.Helper()
	for _, e := range want.Epochs() {
		mine, err := want.Epoch(t.Context(), e.ID(), nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := got.Epoch(t.Context(), e.ID(), nil)
		if err != nil || !theirs.SealKey().Equal(mine.SealKey()) {
			t.Errorf("epoch %d: another key, or error %v", e.Number, err)
		}
	}
}

func TestEscrowOpensTheChainAlone(t *testing.T) {
	for name, early := range map[string]bool{"added before a rotation": true, "added after it": false} {
		t.Run(name, func(t *testing.T) {
			ring, id := newRing(t, "one", "two"), newIdentity(t)
			entries, anchor := escrowed(t, ring, id.Recipient(), early)
			for name, trust := range map[string]keys.Trust{"by the anchor": {Anchor: &anchor}, "unanchored": {Unanchored: true}} {
				c, err := keys.ReadChain(t.Context(), inSafe(newIdentity(t), id), entries, trust)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				wantSealKeys(t, c, read(t, ring, entries))
			}
			if _, err := keys.ReadChain(t.Context(), inSafe(id), entries, keys.Trust{}); !errors.Is(err, keys.ErrUnanchored) {
				t.Errorf("without an anchor: %v, want ErrUnanchored", err)
			}
			if _, err := keys.ReadChain(t.Context(), inSafe(newIdentity(t)), entries, keys.Trust{Anchor: &anchor}); !errors.Is(err, keys.ErrNoKey) {
				t.Errorf("with another identity: %v, want ErrNoKey", err)
			}
			// A principal key of an older epoch is a proof as good as the anchor.
			old := keys.NewRing(map[string]keys.Provider{"local": only{provider(t, ring), "one"}}).WithIdentities([]escrow.Identity{id})
			if _, err := keys.ReadChain(t.Context(), old, entries, keys.Trust{}); err != nil {
				t.Errorf("with the old principal key and the identity: %v", err)
			}
		})
	}
}

func TestEscrowEndsWithItsRecipient(t *testing.T) {
	ring, id, other := newRing(t, "one", "two"), newIdentity(t), newIdentity(t)
	entries, anchor := escrowed(t, ring, id.Recipient(), true)
	c := read(t, ring, entries)
	entry, err := c.AddEscrow(t.Context(), other.Recipient(), stamp)
	entries = append(entries, grow(t, c, entry, err))
	entry, err = c.RemoveEscrow(t.Context(), rand.Reader, id.Recipient(), stamp)
	entries = append(entries, grow(t, c, entry, err))
	if got := c.Escrow(); !slices.Equal(got, []escrow.Recipient{other.Recipient()}) {
		t.Errorf("in escrow are %v", got)
	}
	if e := c.Open(); e.Number != 3 || e.Principal() != ref("two") || e.InEscrow(id.Recipient()) || !e.InEscrow(other.Recipient()) {
		t.Errorf("epoch %d is open, under %v, in escrow to %v", e.Number, e.Principal(), e.Recipients())
	}
	if _, err := keys.ReadChain(t.Context(), inSafe(id), entries, keys.Trust{Anchor: &anchor}); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("the recipient that was removed: %v, want ErrNoKey", err)
	}
	if _, err := keys.ReadChain(t.Context(), inSafe(other), entries, keys.Trust{Anchor: &anchor}); err != nil {
		t.Errorf("the one that stayed: %v", err)
	}
	if entry, err := c.RemoveEscrow(t.Context(), rand.Reader, id.Recipient(), stamp); entry != nil || err != nil {
		t.Errorf("once more: %q, %v, want nothing to do", entry, err)
	}
	if _, err := c.RemoveEscrow(t.Context(), rand.Reader, newIdentity(t).Recipient(), stamp); !errors.Is(err, keys.ErrNoRecipient) {
		t.Errorf("one that never was: %v, want ErrNoRecipient", err)
	}
	// Back in escrow, it opens the epochs that it missed.
	entry, err = c.AddEscrow(t.Context(), id.Recipient(), stamp)
	entries = append(entries, grow(t, c, entry, err))
	if _, err := keys.ReadChain(t.Context(), inSafe(id), entries, keys.Trust{Anchor: &anchor}); err != nil {
		t.Errorf("back in escrow: %v", err)
	}
}

func TestEscrowIsBounded(t *testing.T) {
	ring := newRing(t, "one", "two", "a", "b", "c", "d", "e", "f", "g")
	c := read(t, ring, story(t, ring))
	for range keys.MaxEscrow {
		entry, err := c.AddEscrow(t.Context(), newIdentity(t).Recipient(), stamp)
		grow(t, c, entry, err)
	}
	if _, err := c.AddEscrow(t.Context(), newIdentity(t).Recipient(), stamp); !errors.Is(err, keys.ErrEscrowFull) {
		t.Errorf("one more: %v, want ErrEscrowFull", err)
	}
	if entry, err := c.AddEscrow(t.Context(), c.Escrow()[0], stamp); entry != nil || err != nil {
		t.Errorf("one that is in it: %q, %v, want nothing to do", entry, err)
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		entry, err := c.Rewrap(t.Context(), rand.Reader, ref("two"), ref(name), stamp)
		grow(t, c, entry, err)
	}
	kinds := map[string]int{}
	for _, w := range c.HeaderWraps() {
		kinds[w.Kind]++
	}
	if kinds[crypt.WrapAge] != keys.MaxEscrow || kinds[crypt.WrapLocal] != keys.MaxWraps-keys.MaxEscrow {
		t.Errorf("headers carry %v", kinds)
	}
}

// An epoch whose key nobody has is no reason to leave the others out.
func TestEscrowOfWhatOpensHere(t *testing.T) {
	ring, id := newRing(t, "one", "two", "three"), newIdentity(t)
	entries := story(t, ring)
	full := read(t, ring, entries)
	entry, err := full.Rotate(t.Context(), rand.Reader, ref("three"), stamp)
	entries = append(entries, grow(t, full, entry, err))
	c := read(t, keys.NewRing(map[string]keys.Provider{"local": only{provider(t, ring), "three"}}), entries)
	entry, err = c.AddEscrow(t.Context(), id.Recipient(), stamp)
	entries = append(entries, grow(t, c, entry, err))
	for i, want := range []bool{false, true, true} {
		if got := c.Epochs()[i].InEscrow(id.Recipient()); got != want {
			t.Errorf("epoch %d in escrow: %t, want %t", i+1, got, want)
		}
	}
	again := read(t, ring, entries)
	entry, err = again.AddEscrow(t.Context(), id.Recipient(), stamp)
	grow(t, again, entry, err)
	if !again.Epochs()[0].InEscrow(id.Recipient()) {
		t.Error("added again where all keys are, epoch 1 is not in escrow")
	}
}

// Wraps that stand elsewhere open the chain as those in it do.
func TestWrapsOutsideTheChain(t *testing.T) {
	ring, id := newRing(t, "one", "two"), newIdentity(t)
	entries := story(t, ring)
	c := read(t, ring, entries)
	wraps, err := c.EscrowWraps(t.Context(), id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	anchor := c.Anchor()
	got, err := keys.ReadChain(t.Context(), inSafe(id), entries, keys.Trust{Anchor: &anchor, Wraps: wraps})
	if err != nil {
		t.Fatal(err)
	}
	wantSealKeys(t, got, c)
	if _, err := keys.ReadChain(t.Context(), inSafe(id), entries, keys.Trust{Wraps: wraps}); !errors.Is(err, keys.ErrUnanchored) {
		t.Errorf("without an anchor: %v, want ErrUnanchored", err)
	}
}

func TestRecoverHandsOverToANewKey(t *testing.T) {
	for name, to := range map[string]keys.Ref{"another name": {Provider: "new", Key: "wal"}, "the lost one's name": ref("two")} {
		t.Run(name, func(t *testing.T) {
			ring, id := newRing(t, "one", "two"), newIdentity(t)
			entries, anchor := escrowed(t, ring, id.Recipient(), true)
			k, err := crypt.RandomKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			fresh := map[string]keys.Provider{to.Provider: fixed{to.Key: k}}
			c, err := keys.ReadChain(t.Context(), keys.NewRing(fresh).WithIdentities([]escrow.Identity{id}), entries, keys.Trust{Anchor: &anchor})
			if err != nil {
				t.Fatal(err)
			}
			entry, err := c.Recover(t.Context(), rand.Reader, to, stamp)
			entries = append(entries, grow(t, c, entry, err))
			if entry, err := c.Recover(t.Context(), rand.Reader, to, stamp); entry != nil || err != nil {
				t.Errorf("once more: %q, %v, want nothing to do", entry, err)
			}
			got := read(t, keys.NewRing(fresh), entries)
			wantSealKeys(t, got, c)
			if got.Open().Principal() != to || !got.Open().InEscrow(id.Recipient()) {
				t.Errorf("epoch %d is under %v, in escrow to %v", got.Open().Number, got.Open().Principal(), got.Open().Recipients())
			}
		})
	}
}

// forge encodes an entry as the package comment says, with MACs by these epoch
// keys.
func forge(t *testing.T, e keys.Entry, macs map[int]crypt.Key) []byte {
	t.Helper()
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for n := 1; n <= 9; n++ {
		if k, ok := macs[n]; ok {
			h := hmac.New(sha256.New, k.Derive(nil, "walarchive 1 epoch chain").Bytes())
			h.Write(append([]byte("walarchive 1 chain entry\x00"), line...))
			sums = append(sums, fmt.Sprintf("%d:%x", n, h.Sum(nil)))
		}
	}
	return []byte(string(line) + "\n" + strings.Join(sums, " ") + "\n")
}

func idOf(k crypt.Key) (id crypt.ID) {
	copy(id[:], k.Derive(nil, "walarchive 1 epoch id").Bytes())
	return id
}

// Whoever can write to the bucket knows every escrow recipient: it stands in
// the chain. What he seals to it, the identity opens, and yet it must not be
// believed.
func TestForgeriesSealedToTheRecipient(t *testing.T) {
	ring, id := newRing(t, "one", "two"), newIdentity(t)
	entries, anchor := escrowed(t, ring, id.Recipient(), true)
	mine := read(t, ring, entries)
	his, err := crypt.RandomKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	wrap, err := id.Recipient().Wrap(his)
	if err != nil {
		t.Fatal(err)
	}
	stranger := newRing(t, "one", "two")
	invented, _ := escrowed(t, stranger, id.Recipient(), true)
	opens := func(n int, prev []byte) keys.Entry {
		return keys.Entry{
			Version: 1, Number: n, Prev: sha256.Sum256(prev), Time: stamp.Time, Host: "db1",
			Epoch: &keys.EpochWraps{Number: 3, ID: idOf(his), Wraps: []crypt.Wrap{wrap}},
		}
	}
	first := opens(1, nil)
	first.Prev = crypt.Digest{}
	archive := mine.Archive()
	first.Archive, first.Epoch.Number = &archive, 1
	second := opens(2, entries[0])
	second.Epoch.Number = 2
	for _, tt := range []struct {
		name     string
		entries  [][]byte
		anchored error
	}{
		{"a whole invented history", invented, keys.ErrChain},
		{"one that names the archive's id", [][]byte{forge(t, first, map[int]crypt.Key{1: his})}, keys.ErrChain},
		{"a new epoch behind the chain", append(slices.Clone(entries), forge(t, opens(len(entries)+1, entries[len(entries)-1]), map[int]crypt.Key{2: his, 3: his})), keys.ErrChain},
		{"a new epoch behind entry 1, before it was in escrow", [][]byte{entries[0], forge(t, second, map[int]crypt.Key{1: his, 2: his})}, keys.ErrNoKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := keys.ReadChain(t.Context(), inSafe(id), tt.entries, keys.Trust{Anchor: &anchor}); !errors.Is(err, tt.anchored) {
				t.Errorf("with the anchor: %v, want %v", err, tt.anchored)
			}
			if _, err := keys.ReadChain(t.Context(), inSafe(id), tt.entries, keys.Trust{}); err == nil {
				t.Error("believed without an anchor")
			}
			if _, err := keys.ReadChain(t.Context(), ring, tt.entries, keys.Trust{}); err == nil {
				t.Error("believed by a host with the principal keys")
			}
			both := keys.NewRing(map[string]keys.Provider{"local": provider(t, ring)}).WithIdentities([]escrow.Identity{id})
			if _, err := keys.ReadChain(t.Context(), both, tt.entries, keys.Trust{}); err == nil {
				t.Error("believed by a host with the principal keys and the identity")
			}
			c := read(t, both, entries[:1])
			if err := c.Extend(t.Context(), tt.entries[min(1, len(tt.entries)):]...); err == nil && len(tt.entries) > 1 {
				t.Error("believed by a process that had read entry 1")
			}
		})
	}
	if _, err := keys.ReadChain(t.Context(), inSafe(id), invented, keys.Trust{Unanchored: true}); err != nil {
		t.Errorf("an invented history, with trust in whatever comes: %v", err)
	}
	// An object of his own epoch is no proof that the chain lost that.
	both := keys.NewRing(map[string]keys.Provider{"local": provider(t, ring)}).WithIdentities([]escrow.Identity{id})
	if _, err := read(t, both, entries).Epoch(t.Context(), idOf(his), []crypt.Wrap{wrap}); errors.Is(err, keys.ErrUnknownEpoch) || err == nil {
		t.Errorf("an object sealed to the recipient: %v, want that no key opens it", err)
	}
}
