package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"walarchive/archive/wal"
	"walarchive/keys"
	"walarchive/storage"
)

// Incarnation is a span of the archive with one system identifier, PostgreSQL
// major version and segment size.
type Incarnation struct {
	Number int // 1 for the first
	wal.Identity
}

// record is what this package puts on record in the key chain.
type record struct {
	Incarnation *incarnationRecord `json:"incarnation,omitempty"`
}

type incarnationRecord struct {
	Number      int    `json:"number"`
	SystemID    uint64 `json:"system_id,string"`
	Major       int    `json:"major"`
	SegmentSize int64  `json:"segment_size"`
}

func describe(id wal.Identity) string {
	return fmt.Sprintf("system %d (PostgreSQL %d, segments of %s)", id.SystemID, id.Major, mebibytes(id.SegmentSize))
}

func mebibytes(n int64) string { return strconv.FormatInt(n>>20, 10) + " MiB" }

func openIncarnation(number int, id wal.Identity) (json.RawMessage, error) {
	return json.Marshal(record{Incarnation: &incarnationRecord{number, id.SystemID, id.Major, id.SegmentSize}})
}

func readIncarnations(c *keys.Chain) ([]Incarnation, error) {
	var incs []Incarnation
	for _, e := range c.Entries() {
		if e.Data == nil {
			continue
		}
		var r record
		if err := decodeStrict(e.Data, &r); err != nil {
			return nil, fmt.Errorf("key chain entry %d: %w", e.Number, err)
		}
		if i := r.Incarnation; i != nil {
			if i.Number != len(incs)+1 || !wal.ValidSegmentSize(i.SegmentSize) {
				return nil, fmt.Errorf("key chain entry %d: incarnation %d: %w", e.Number, i.Number, keys.ErrChain)
			}
			incs = append(incs, Incarnation{i.Number, wal.Identity{SystemID: i.SystemID, Major: i.Major, SegmentSize: i.SegmentSize}})
		}
	}
	if len(incs) == 0 {
		return nil, fmt.Errorf("no incarnation on record: %w", keys.ErrChain)
	}
	return incs, nil
}

// Init makes an archive for the cluster of d, in b, with its first epoch under
// the principal key to. If it is there already, for the same cluster, Init
// opens it: running it again is safe. Another cluster's archive gives
// ErrForeign, and none where o.Anchor names one ErrNoArchive; with next, it opens the next incarnation for the cluster of d
// instead. A store that ignores the condition of a Put gives ErrOverwrites.
func Init(ctx context.Context, b storage.Bucket, ring *keys.Ring, to keys.Ref, d *DataDir, next bool, o Options) (*Archive, error) {
	a, err := Open(ctx, b, ring, o)
	if errors.Is(err, ErrNoArchive) && !next {
		if o.Anchor != nil {
			return nil, advise(fmt.Errorf("%w, though keys.anchor names one", ErrNoArchive),
				"is the store mounted, and storage.url right? to make a new archive, unset keys.anchor first")
		}
		if err := probeCondition(ctx, b, o.withDefaults()); err != nil {
			return nil, err
		}
		if a, err = create(ctx, b, ring, to, d, o); err == nil && !o.AcceptOverwrites {
			a.conditionKept()
		}
	}
	if err != nil {
		return nil, err
	}
	if next {
		if err := a.nextIncarnation(ctx, d.Identity()); err != nil {
			return nil, err
		}
	}
	if _, err := a.pushInto(d.Identity()); err != nil {
		return nil, err
	}
	if err := a.putHint(ctx, d); err != nil {
		return nil, err
	}
	return a, a.keepCondition(ctx)
}

// create writes entry 1. Of two at once one wins, and both open what it wrote.
func create(ctx context.Context, b storage.Bucket, ring *keys.Ring, to keys.Ref, d *DataDir, o Options) (*Archive, error) {
	a := &Archive{bucket: b, ring: ring, Options: o.withDefaults(), chainState: &chainState{}}
	for info, err := range b.List(ctx, "", "") {
		if err != nil {
			return nil, err
		}
		if !isLeftover(info.Name) { // another init's entry 1, or what is left of an archive
			return Open(ctx, b, ring, o)
		}
	}
	data, err := openIncarnation(1, d.Identity())
	if err != nil {
		return nil, err
	}
	entry, err := keys.StartChain(ctx, ring, a.Rand, to, a.stamp(), data)
	if err != nil {
		return nil, err
	}
	if err := a.put(ctx, chainObject(1), entry); err != nil && !errors.Is(err, storage.ErrExist) {
		return nil, err
	}
	return Open(ctx, b, ring, o)
}

func (a *Archive) nextIncarnation(ctx context.Context, id wal.Identity) error {
	return a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) {
		if a.incarnations[len(a.incarnations)-1].Identity == id {
			return nil, nil
		}
		data, err := openIncarnation(len(a.incarnations)+1, id)
		if err != nil {
			return nil, err
		}
		return c.Record(s, data)
	})
}

// pushInto is the open incarnation, the only one that takes new WAL; a server
// that is not of it gives ErrForeign.
func (a *Archive) pushInto(id wal.Identity) (Incarnation, error) {
	inc, err := a.incarnation(id)
	if err != nil {
		return Incarnation{}, err
	}
	if open := a.Incarnations()[len(a.Incarnations())-1]; inc != open {
		err := fmt.Errorf("%w: %s is closed since the archive went on with %s", ErrForeign, describe(id), describe(open.Identity))
		return Incarnation{}, advise(err, "an old server runs again with its archive_command: switch archiving off there, or give it an archive of its own (cluster.name)")
	}
	return inc, nil
}

// Incarnations lists the incarnations, oldest first; the last is open.
func (a *Archive) Incarnations() []Incarnation {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.incarnations
}

// hint is cluster.json: it tells people what lies here.
type hint struct {
	Archive  string `json:"archive"`
	SystemID uint64 `json:"system_id,string"`
	Major    int    `json:"postgresql"`
	Made     string `json:"made"`
	Host     string `json:"host"`
}

func (a *Archive) putHint(ctx context.Context, d *DataDir) error {
	s := a.stamp()
	b, err := json.MarshalIndent(hint{a.Anchor().Archive.String(), d.Control.SystemID, d.Major, s.Time.Format("2006-01-02T15:04:05Z"), s.Host}, "", "  ")
	if err != nil {
		return err
	}
	if err := a.put(ctx, hintObject, append(b, '\n')); !errors.Is(err, storage.ErrExist) {
		return err
	}
	return nil
}
