package archive

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"walarchive/storage"
)

// ErrOverwrites: the store put an object in the place of another, though it
// was told not to. Two servers that archive to one place by mistake, or an
// attacker with the push credential, could replace WAL in it.
var ErrOverwrites = errors.New("the store ignores the condition of a write and overwrites objects")

// ProbeStep names one operation that a Probe tries.
type ProbeStep string

// The operations that an archive needs of a store, in the order in which they
// are tried.
const (
	ProbeWrite     ProbeStep = "write"
	ProbeRead      ProbeStep = "read"
	ProbeRange     ProbeStep = "ranged read"
	ProbeCondition ProbeStep = "conditional write"
	ProbeList      ProbeStep = "list"
	ProbeDelete    ProbeStep = "delete"
)

// Probed is what came of one operation.
type Probed struct {
	Step ProbeStep
	Err  error // nil: it did what an archive needs
}

// Probe is an object that shows what a store does. It is of no archive:
// nothing but a probe is ever written to its name.
type Probe struct {
	Object string

	bucket  storage.Bucket
	content []byte
}

// NewProbe chooses a name, of 128 random bits, in b, which is one cluster's
// part of a store.
func NewProbe(b storage.Bucket, rand io.Reader) (*Probe, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(rand, id); err != nil {
		return nil, err
	}
	name := probePrefix + hex.EncodeToString(id)
	return &Probe{name, b, []byte("A probe of walarchive check, " + name + ". It may be deleted.\n")}, nil
}

// Run tries all operations, delete last. Without the first nothing else can be
// said, and it comes back alone. A store that ignores conditions gives
// ErrOverwrites.
func (p *Probe) Run(ctx context.Context) []Probed {
	done := []Probed{{ProbeWrite, p.put(ctx, p.content)}}
	if done[0].Err != nil {
		return done
	}
	for _, s := range []struct {
		step ProbeStep
		try  func(context.Context) error
	}{
		{ProbeRead, p.read},
		{ProbeRange, p.readRange},
		{ProbeCondition, p.overwrite},
		{ProbeList, p.list},
		{ProbeDelete, p.delete},
	} {
		done = append(done, Probed{s.step, s.try(ctx)})
	}
	return done
}

func (p *Probe) put(ctx context.Context, b []byte) error {
	return p.bucket.Put(ctx, p.Object, bytes.NewReader(b))
}

func (p *Probe) read(ctx context.Context) error {
	got, err := storage.ReadAll(ctx, p.bucket, p.Object, int64(len(p.content)))
	if err != nil {
		return err
	}
	return same(got, p.content)
}

func (p *Probe) readRange(ctx context.Context) (err error) {
	const off, n = 2, 5
	r, err := p.bucket.Get(ctx, p.Object, off, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	got, err := io.ReadAll(io.LimitReader(r, int64(len(p.content))))
	if err != nil {
		return err
	}
	return same(got, p.content[off:off+n])
}

// overwrite writes other content to the same name, which must be refused, and
// looks whether the first is still there.
func (p *Probe) overwrite(ctx context.Context) error {
	err := p.put(ctx, append([]byte("overwritten: "), p.content...))
	switch {
	case err == nil:
		return overwrites(p.Object)
	case !errors.Is(err, storage.ErrExist):
		return err
	}
	err = p.read(ctx)
	if errors.Is(err, errOtherContent) || errors.Is(err, storage.ErrTooLarge) {
		return overwrites(p.Object)
	}
	return err
}

func overwrites(object string) error {
	return advise(fmt.Errorf("%s: %w", object, ErrOverwrites),
		"do not archive to this store: update it, or use one that honours If-None-Match (S3, Azure) or generation 0 (Google); "+
			"storage.accept_unconditional_put = true does so all the same, and then a second server can replace WAL")
}

func (p *Probe) list(ctx context.Context) error {
	for info, err := range p.bucket.List(ctx, p.Object, "") {
		if err != nil {
			return err
		}
		if info.Name == p.Object {
			return nil
		}
	}
	return advise(fmt.Errorf("%s is there but not in the list", p.Object),
		"verify, info and the end of a recovery need complete lists: use a store whose lists show what was written")
}

// delete also sees that the object is gone.
func (p *Probe) delete(ctx context.Context) error {
	if err := p.bucket.Delete(ctx, p.Object); err != nil {
		return err
	}
	_, err := p.bucket.Stat(ctx, p.Object)
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return nil
	case err == nil:
		return fmt.Errorf("%s is still there: %w", p.Object, storage.ErrPermission)
	}
	return err
}

// errOtherContent says that an object reads as other than it was written.
var errOtherContent = errors.New("not what was written")

func same(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return advise(fmt.Errorf("%d bytes came back, %w", len(got), errOtherContent), "something between here and the store changes objects: a proxy, a gateway, a cache")
	}
	return nil
}

func isProbe(object string) bool { return strings.HasPrefix(object, probePrefix) }
