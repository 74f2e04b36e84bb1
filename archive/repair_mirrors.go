package archive

import (
	"context"
	"errors"
	"fmt"

	"walarchive/storage"
	"walarchive/storage/mirror"
)

// repair is the repair of one object in several stores.
type repair struct {
	*Archive
	kind   Kind
	object string
	done   Repaired
}

func (r *repair) run(ctx context.Context, stores []mirror.Store) error {
	var sound, lacking []mirror.Store
	for _, s := range stores {
		cause, err := r.in(s).damage(ctx, r.kind, r.object)
		switch {
		case err == nil:
			if err := r.setAside(ctx, s, cause); err != nil {
				return err
			}
			lacking = append(lacking, s)
		case errors.Is(err, errSound):
			sound = append(sound, s)
		case notStored(err, r.object):
			lacking = append(lacking, s)
		default:
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	if len(sound) == 0 {
		if len(r.done.Moved) == 0 {
			return fmt.Errorf("no store has %s", r.object)
		}
		return nil // the next push stores it anew
	}
	different, err := r.different(ctx, sound[0], sound[1:])
	if err != nil {
		return err
	}
	if err := r.copyTo(ctx, sound[0], append(lacking, different...)); err != nil {
		return err
	}
	if len(r.done.Copied) == 0 {
		return fmt.Errorf("nothing was moved: %s is sound in all stores, and the same", r.object)
	}
	return nil
}

func (r *repair) setAside(ctx context.Context, s mirror.Store, cause error) error {
	moved, err := r.in(s).setAside(ctx, r.kind, r.object, cause)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	r.done.Moved = append(r.done.Moved, Moved{s.Name, moved})
	return nil
}

// different sets aside what is sound and other than in the store of reference.
// All of it can be restored from; but stores that differ cannot be compared.
func (r *repair) different(ctx context.Context, reference mirror.Store, others []mirror.Store) ([]mirror.Store, error) {
	want, err := storedDigest(ctx, reference.Bucket, r.object)
	if err != nil {
		return nil, err
	}
	var moved []mirror.Store
	for _, s := range others {
		got, err := storedDigest(ctx, s.Bucket, r.object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		if got == want {
			continue
		}
		alone := r.in(s)
		name, err := alone.copyAside(ctx, r.object, fmt.Errorf("%w: SHA-256 %x in %s, %x here", mirror.ErrDiffers, want, reference.Name, got))
		if err == nil {
			err = alone.removeAside(ctx, r.object, name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		r.done.Moved = append(r.done.Moved, Moved{s.Name, name})
		moved = append(moved, s)
	}
	return moved, nil
}

func (r *repair) copyTo(ctx context.Context, from mirror.Store, to []mirror.Store) error {
	for _, s := range to {
		err := storage.Copy(ctx, from.Bucket, r.object, s.Bucket, r.object)
		if err != nil && !errors.Is(err, storage.ErrExist) {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		r.done.Copied = append(r.done.Copied, s.Name)
	}
	return nil
}
