package archive

import (
	"context"
	"errors"
	"path/filepath"

	"walarchive/archive/wal"
	"walarchive/storage"
)

// Accepts reports why the archive does not take WAL of d's server; nil if it
// does. A server that is not of the open incarnation gives ErrForeign.
func (a *Archive) Accepts(d *DataDir) error {
	_, err := a.pushInto(d.Identity())
	return err
}

// Holds reports whether the complete segment name of d's server has arrived:
// its object is there, and its first frame authenticates.
func (a *Archive) Holds(ctx context.Context, d *DataDir, name string) (bool, error) {
	inc, err := a.pushInto(d.Identity())
	if err != nil {
		return false, err
	}
	seg, err := wal.ParseSegment(filepath.Base(name), inc.SegmentSize)
	if err != nil {
		return false, err
	}
	_, err = a.facts(ctx, KindSegment, walObject(inc.Number, wal.Name{Kind: wal.KindSegment, Segment: seg}))
	if errors.Is(err, storage.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// isLeftover reports whether an object says nothing of an archive that is or
// was here: the hint for people, or what a check could not delete.
func isLeftover(object string) bool {
	return object == hintObject || isProbe(object)
}
