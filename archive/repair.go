package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/storage"
)

// Repaired says what a repair did.
type Repaired struct {
	Moved  []Moved  // what was set aside
	Copied []string // stores that got the object from another one
}

// Moved is an object that was set aside.
type Moved struct {
	Store  string // "" if there is but one
	Object string // its name now
}

// Repair moves the object called name, the name of a WAL file or of an object,
// to damaged/ and records that, so that the next push can store the file anew.
// Only an object that does not authenticate is moved.
//
// Of several stores, each is looked into. Where one has a sound object, the
// others get it; a mirror's that is sound but not the same is set aside too.
func (a *Archive) Repair(ctx context.Context, name string) (*Repaired, error) {
	object, kind, err := a.locate(name)
	if err != nil {
		return nil, err
	}
	if stores := a.stores(); len(stores) > 0 {
		r := &repair{Archive: a, kind: kind, object: object}
		return &r.done, r.run(ctx, stores)
	}
	cause, err := a.damage(ctx, kind, object)
	if err != nil {
		return nil, fmt.Errorf("nothing was moved: %w", err)
	}
	moved, err := a.setAside(ctx, kind, object, cause)
	if err != nil {
		return nil, err
	}
	return &Repaired{Moved: []Moved{{"", moved}}}, nil
}

// setAside moves an object that does not authenticate and records why.
func (a *Archive) setAside(ctx context.Context, kind Kind, object string, cause error) (string, error) {
	moved, err := a.copyAside(ctx, object, cause)
	if err != nil {
		return "", err
	}
	// By now another repair and a push may have put a sound object there.
	if _, err := a.damage(ctx, kind, object); err != nil {
		return "", fmt.Errorf("%s is copied to %s, and stays: %w", object, moved, err)
	}
	return moved, a.removeAside(ctx, object, moved)
}

// copyAside copies an object to damaged/ with a record of the cause.
func (a *Archive) copyAside(ctx context.Context, object string, cause error) (string, error) {
	moved, err := a.firstFree(ctx, func(nth int) string { return damagedObject(object, nth) })
	if err != nil {
		return "", err
	}
	if err := storage.Copy(ctx, a.bucket, object, a.bucket, moved); err != nil {
		return "", err
	}
	record := &Facts{Digest: crypt.DigestBytes(nil), Reason: clip(cause.Error(), maxReason)}
	return moved, a.putSealed(ctx, KindRepair, moved+".record", record, content{})
}

func (a *Archive) removeAside(ctx context.Context, object, moved string) error {
	if err := a.bucket.Delete(ctx, object); err != nil {
		return advise(fmt.Errorf("%s is copied to %s, but stays: %w", object, moved, err), "repair needs a credential that may delete")
	}
	return nil
}

// locate finds which object a person means: a WAL file of the open
// incarnation, or an object by its own name.
func (a *Archive) locate(name string) (string, Kind, error) {
	incs := a.Incarnations()
	for _, inc := range incs {
		if s, ok := parseWALObject(name, inc.SegmentSize); ok && s.Incarnation == inc.Number {
			return name, objectKind(s.Name), nil
		}
		if _, ok := parseQuarantine(name, inc); ok {
			return name, KindQuarantine, nil
		}
	}
	if strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q is no WAL object of this archive", name)
	}
	open := incs[len(incs)-1]
	n, err := wal.ParseName(name, open.SegmentSize)
	return walObject(open.Number, n), objectKind(n), err
}

// objectKind is the kind of object that a WAL file is stored as.
func objectKind(n wal.Name) Kind {
	switch n.Kind {
	case wal.KindPartial:
		return KindPartial
	case wal.KindHistory:
		return KindHistory
	case wal.KindBackup:
		return KindBackup
	}
	return KindSegment
}

// errSound: there is nothing to repair.
var errSound = errors.New("every byte authenticates")

// damage is what is wrong with an object that does not authenticate; err says
// why it cannot be told, or errSound.
func (a *Archive) damage(ctx context.Context, kind Kind, object string) (cause, err error) {
	switch err := a.readThrough(ctx, kind, object); {
	case errors.Is(err, ErrDamaged):
		return err, nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("%s is sound: %w", object, errSound)
}

// readThrough opens an object and reads it to its end.
func (a *Archive) readThrough(ctx context.Context, kind Kind, name string) error {
	o, err := a.open(ctx, kind, name)
	if err != nil {
		return err
	}
	defer o.Close()
	if _, err := o.WriteTo(io.Discard); err != nil {
		return damaged(name, err)
	}
	return nil
}
