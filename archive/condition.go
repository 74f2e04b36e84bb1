package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"walarchive/storage"
	"walarchive/storage/mirror"
)

// conditionAge is how long a store that was seen to honour the condition of a
// Put is believed to: what answers at its address can change.
const conditionAge = 24 * time.Hour

// AcceptsOverwrites is what everybody who looks is told of an archive with
// Options.AcceptOverwrites.
const AcceptsOverwrites = "storage.accept_unconditional_put is set: a second server, or who has the push credential, may replace what is archived"

// condition is what is known of the stores' honouring the condition of a Put,
// on which everything rests: that of two writers of one name one wins.
type condition struct {
	kept atomic.Bool // all of them do
}

// keepCondition reports ErrOverwrites if a store ignores the condition of a
// Put. It asks once a day, and of a store that cannot be asked now it says
// nothing: what is to be done will fail, and the next call asks again.
func (a *Archive) keepCondition(ctx context.Context) error {
	if a.AcceptOverwrites || a.condition.kept.Load() {
		return nil
	}
	if a.noted(a.conditionNote()) {
		a.condition.kept.Store(true)
		return nil
	}
	switch err := a.proveConditions(ctx); {
	case errors.Is(err, ErrOverwrites):
		return err
	case err != nil:
		a.Log.Debug("whether the store ignores the condition of a write cannot be told", "error", err)
		return nil
	}
	a.conditionKept()
	return nil
}

// mirrorPatience is how long mirrors have in all to answer: one that is away
// must not hold up a push that does without it.
const mirrorPatience = 2 * time.Second

// proveConditions asks every store.
func (a *Archive) proveConditions(ctx context.Context) error {
	hint, err := a.hintContent(ctx)
	if err != nil {
		return err
	}
	all := a.each()
	if err := all[0].proveCondition(ctx, hint); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mirrorPatience)
	defer cancel()
	for _, s := range all[1:] {
		if err := s.proveCondition(ctx, hint); err != nil {
			return err
		}
	}
	return nil
}

// conditionKept notes that all stores keep it.
func (a *Archive) conditionKept() {
	a.condition.kept.Store(true)
	if note := a.conditionNote(); note != "" {
		if err := replaceFile(note, nil); err != nil {
			a.Log.Debug("the spool cannot be written", "error", err)
		}
	}
}

// each is the archive as each of its stores has it.
func (a *Archive) each() []*Archive {
	stores := a.stores()
	if len(stores) == 0 {
		return []*Archive{a}
	}
	var all []*Archive
	for _, s := range stores {
		all = append(all, a.in(s))
	}
	return all
}

// conditionNote is the file that says that the stores kept the condition, by
// its age; "" if there is no spool.
func (a *Archive) conditionNote() string {
	if a.Spool == "" {
		return ""
	}
	id := sha256.Sum256(fmt.Appendf(nil, "%v\x00%s", a.Anchor(), a.Stores))
	return filepath.Join(a.Spool, fmt.Sprintf("condition-%x", id[:8]))
}

func (a *Archive) noted(note string) bool {
	info, err := os.Stat(note)
	if note == "" || err != nil {
		return false
	}
	age := a.Now().Sub(info.ModTime())
	return age >= 0 && age < conditionAge
}

// maxHint bounds the hint for people, in bytes.
const maxHint = 64 << 10

// hintContent is the hint for people as it is, or nothing.
func (a *Archive) hintContent(ctx context.Context) ([]byte, error) {
	content, err := storage.ReadAll(ctx, a.bucket, hintObject, maxHint)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// proveCondition writes the hint for people, on which nothing rests, over
// itself. If it was not there, the second time says.
func (a *Archive) proveCondition(ctx context.Context, hint []byte) error {
	err := a.put(ctx, hintObject, hint)
	if err == nil {
		err = a.put(ctx, hintObject, hint)
	}
	switch {
	case errors.Is(err, storage.ErrExist):
		return nil
	case err == nil:
		return overwrites(hintObject)
	}
	return err
}

// probeCondition tries the condition on objects of its own in each store that b
// consists of, before an archive is made there.
func probeCondition(ctx context.Context, b storage.Bucket, o Options) error {
	if o.AcceptOverwrites {
		return nil
	}
	buckets := []storage.Bucket{b}
	if stores := mirror.StoresOf(b); len(stores) > 0 {
		buckets = nil
		for _, s := range stores {
			buckets = append(buckets, s.Bucket)
		}
	}
	for _, b := range buckets {
		p, err := NewProbe(b, o.Rand)
		if err == nil {
			err = p.condition(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// condition tries a conditional write alone.
func (p *Probe) condition(ctx context.Context) error {
	if err := p.put(ctx, p.content); err != nil {
		return err
	}
	tried := p.overwrite(ctx)
	if err := p.bucket.Delete(ctx, p.Object); tried == nil && !errors.Is(err, storage.ErrPermission) {
		return err
	}
	return tried
}
