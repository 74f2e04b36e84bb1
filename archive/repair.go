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

// Repair moves the object called name, the name of a WAL file or of an object,
// to damaged/ and records that, so that the next push can store the file anew.
// Only an object that does not authenticate is moved. It returns the object's
// new name.
func (a *Archive) Repair(ctx context.Context, name string) (string, error) {
	object, kind, err := a.locate(name)
	if err != nil {
		return "", err
	}
	cause, err := a.damage(ctx, kind, object)
	if err != nil {
		return "", fmt.Errorf("nothing was moved: %w", err)
	}
	moved, err := a.firstFree(ctx, func(nth int) string { return damagedObject(object, nth) })
	if err != nil {
		return "", err
	}
	if err := storage.Copy(ctx, a.bucket, object, a.bucket, moved); err != nil {
		return "", err
	}
	record := &Facts{Digest: crypt.DigestBytes(nil), Reason: clip(cause.Error(), maxReason)}
	if err := a.putSealed(ctx, KindRepair, moved+".record", record, content{}); err != nil {
		return "", err
	}
	// By now another repair and a push may have put a sound object there.
	if _, err := a.damage(ctx, kind, object); err != nil {
		return "", fmt.Errorf("%s is copied to %s, and stays: %w", object, moved, err)
	}
	if err := a.bucket.Delete(ctx, object); err != nil {
		return "", advise(fmt.Errorf("%s is copied to %s, but stays: %w", object, moved, err), "repair needs a credential that may delete")
	}
	return moved, nil
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

// damage is what is wrong with an object that does not authenticate; err says
// why there is none or it cannot be told.
func (a *Archive) damage(ctx context.Context, kind Kind, object string) (cause, err error) {
	switch err := a.readThrough(ctx, kind, object); {
	case errors.Is(err, ErrDamaged):
		return err, nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("%s is sound: every byte authenticates", object)
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
