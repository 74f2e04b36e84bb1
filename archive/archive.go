package archive

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/seal"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/storage"
	"walarchive/storage/mirror"
)

// Options are an archive's settings. The zero value is good.
type Options struct {
	Codec   seal.Codec   // of new segments; zero is the default codec
	Workers int          // sealing and opening in parallel; 0 is one per processor
	Whole   int64        // up to this size, in bytes, a segment is sealed in memory, else read twice; 0 is 64 MiB
	Anchor  *keys.Anchor // which archive it must be, when known
	// TrustUnanchored believes, without an Anchor, what only an escrow identity
	// opens: anybody who can write to the bucket could have invented it.
	TrustUnanchored bool
	Wraps           []keys.EpochWraps // of epoch keys, beside those in the key chain
	Log             *slog.Logger      // nil discards

	// TDE fetches pg_tde's own principal keys; nil has none of them.
	TDE tde.Fetch
	// Mode says how segments that pg_tde encrypts are pushed; zero is Reseal.
	Mode Mode
	// RequireEncryptedRestore refuses to write a segment in plaintext for a
	// server with pg_tde when the source had it encrypted.
	RequireEncryptedRestore bool

	// HistoryAge is how long Get may take a timeline's history that was not
	// there for missing still, unless the server has it; 0 has it ask each time.
	HistoryAge time.Duration

	// RolledBack opens an archive whose key chain is known to have lost entries,
	// with a warning in the log: recoveries come first. Verify and Info report it.
	RolledBack bool

	// Spool is a directory for hints that save requests; "" keeps them in
	// memory only.
	Spool string
	// Stores tells the stores that are configured from others, for hints.
	Stores string
	// AcceptOverwrites writes to stores, too, that ignore the condition of a
	// Put and replace objects: nothing then keeps a second server, or who has
	// the push credential, from replacing WAL.
	AcceptOverwrites bool

	Rand io.Reader        // nil is crypto/rand
	Now  func() time.Time // nil is time.Now
	Host string           // this host's name, a note in what is written
}

func (o Options) trust() keys.Trust {
	return keys.Trust{Anchor: o.Anchor, Unanchored: o.TrustUnanchored, Wraps: o.Wraps}
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.TDE == nil {
		o.TDE = func(context.Context, tde.Provider, string) (crypt.Key, error) {
			return crypt.Key{}, fmt.Errorf("%w: no way to the key was given", keys.ErrUnavailable)
		}
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Whole == 0 {
		o.Whole = wholeLimit
	}
	o.Host = clip(o.Host, maxHost)
	return o
}

// Archive is one cluster's archive. Its methods may be called concurrently.
type Archive struct {
	bucket    storage.Bucket
	ring      *keys.Ring
	histories histories
	notes     eventNotes
	condition condition
	memory    seal.Memory // of objects in the works
	Options
	*chainState
}

// chainState is what is known from the key chain, whichever store it was read from.
type chainState struct {
	mu           sync.Mutex // guards what follows
	chain        *keys.Chain
	incarnations []Incarnation
	partial      bool  // read from a mirror, which may lack the newest entries
	rolledBack   error // what RolledBack let pass
}

// Open reads the key chain of the archive in b, which holds one cluster's
// objects and nothing else (storage.WithPrefix). It needs the principal key of
// the open epoch. No archive gives ErrNoArchive.
func Open(ctx context.Context, b storage.Bucket, ring *keys.Ring, o Options) (*Archive, error) {
	a := &Archive{bucket: b, ring: ring, Options: o.withDefaults(), chainState: &chainState{}}
	entries, err := a.readEntries(ctx, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, a.noArchive(ctx)
	}
	chain, err := keys.ReadChain(ctx, ring, entries, a.trust())
	if errors.Is(err, keys.ErrUnanchored) {
		err = advise(err, "set keys.anchor to what init printed or the export says; --trust-unanchored believes whatever lies in the bucket")
	}
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	if err := a.adopt(chain); err != nil {
		return nil, err
	}
	if err := a.recall(); err != nil {
		if !a.RolledBack {
			return nil, fmt.Errorf("open archive: %w", err)
		}
		a.Log.Warn(err.Error())
		a.rolledBack = err
	}
	return a, nil
}

// noArchive tells an archive that was never made from one that lost its keys.
func (a *Archive) noArchive(ctx context.Context) error {
	for info, err := range a.bucket.List(ctx, "", "") {
		if err != nil {
			return err
		}
		if isProbe(info.Name) {
			continue
		}
		err := fmt.Errorf("%w: objects such as %s are there, but no key chain", ErrNoArchive, info.Name)
		return advise(err, "the objects under keys/ are gone: restore them from a copy of the bucket")
	}
	return advise(ErrNoArchive, "is the store mounted, are storage.url and cluster.name right? for a new cluster run walarchive init, once")
}

// readEntries reads the stored key-chain entries from number n on. Those of a
// mirror will do while the first store is away: an object that was sealed under
// an epoch that they lack brings its wraps along.
func (a *Archive) readEntries(ctx context.Context, n int) ([][]byte, error) {
	var entries [][]byte
	after := ""
	if n > 1 {
		after = chainObject(n - 1)
	}
	for info, err := range a.bucket.List(ctx, chainPrefix, after) {
		if errors.Is(err, mirror.ErrIncomplete) && n+len(entries) > 1 {
			a.partial = true
			break
		}
		if err != nil {
			return nil, fmt.Errorf("list the key chain: %w", err)
		}
		if want := chainObject(n + len(entries)); info.Name != want {
			err := fmt.Errorf("%s instead of %s: %w", info.Name, want, keys.ErrChain)
			return nil, advise(err, "an entry is missing or does not belong there; restore keys/ from a copy of the bucket")
		}
		b, err := storage.ReadAll(ctx, a.bucket, info.Name, keys.MaxEntrySize)
		if err != nil {
			return nil, fmt.Errorf("read the key chain: %w", err)
		}
		entries = append(entries, b)
	}
	return entries, nil
}

// adopt takes a verified chain as the archive's.
func (a *Archive) adopt(chain *keys.Chain) error {
	incs, err := readIncarnations(chain)
	if err != nil {
		return err
	}
	a.chain, a.incarnations = chain, incs
	return nil
}

// Refresh reads key-chain entries that others have added since.
func (a *Archive) Refresh(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refresh(ctx)
}

func (a *Archive) refresh(ctx context.Context) error {
	entries, err := a.readEntries(ctx, a.chain.Len()+1)
	if err != nil {
		return err
	}
	return a.extend(ctx, entries...)
}

// extend takes over entries, if any. What an earlier call could not read in the
// chain fails again.
func (a *Archive) extend(ctx context.Context, entries ...[]byte) error {
	n, digest := a.chain.Tip()
	if err := a.chain.Extend(ctx, entries...); err != nil {
		return err
	}
	if err := a.adopt(a.chain); err != nil {
		return err
	}
	return a.noteSeen(ChainTip{n, digest})
}

// appendTries bounds how often an append starts anew because another writer
// took the number.
const appendTries = 10

// append adds to the key chain what decide makes of its newest state. When
// another writer was faster, it reads that entry and decides again. decide
// gives no entry when there is nothing left to do.
func (a *Archive) append(ctx context.Context, decide func(c *keys.Chain, s keys.Stamp) ([]byte, error)) error {
	if err := a.keepCondition(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for range appendTries {
		if err := a.refresh(ctx); err != nil {
			return err
		}
		entry, err := decide(a.chain, a.stamp())
		if err != nil || entry == nil {
			return err
		}
		err = a.put(ctx, chainObject(a.chain.Len()+1), entry)
		if err == nil {
			return a.extend(ctx, entry)
		}
		if !errors.Is(err, storage.ErrExist) {
			return err
		}
	}
	return errors.New("the key chain kept changing under this command")
}

func (a *Archive) put(ctx context.Context, name string, b []byte) error {
	return a.bucket.Put(ctx, name, newBody(b))
}

func (a *Archive) stamp() keys.Stamp {
	return keys.Stamp{Time: a.Now().UTC().Truncate(time.Microsecond), Host: a.Host}
}

const rolledBackHint = "restore the objects under keys/ from a copy of the bucket; somebody removed or replaced them"

// checkTip compares the newest key-chain entry that an object's writer had
// seen with those that are there now.
func (a *Archive) checkTip(ctx context.Context, t ChainTip) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.chain.Len() < t.Number {
		if err := a.refresh(ctx); err != nil {
			return err
		}
	}
	if got, ok := a.chain.Digest(t.Number); !ok || got != t.Digest {
		err := fmt.Errorf("%w: entry %d, which an object names, is not there as it was", ErrRolledBack, t.Number)
		return advise(err, "%s", rolledBackHint)
	}
	return nil
}

// incarnation finds the incarnation whose WAL says id.
func (a *Archive) incarnation(id wal.Identity) (Incarnation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.incarnations) - 1; i >= 0; i-- {
		if a.incarnations[i].Identity == id {
			return a.incarnations[i], nil
		}
	}
	var known []string
	for _, inc := range a.incarnations {
		known = append(known, describe(inc.Identity))
	}
	err := fmt.Errorf("%w: this server is %s, the archive holds %s", ErrForeign, describe(id), strings.Join(known, "; "))
	return Incarnation{}, advise(err, "check storage.url and cluster.name; after pg_upgrade or initdb run walarchive init --next")
}
