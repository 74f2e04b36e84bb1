package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/storage"
)

// Quarantine takes the file at path, which cannot be archived, out of
// PostgreSQL's way: it seals its bytes as they are, with the reason, and Push
// then succeeds for exactly these bytes. The gap that remains in the archive
// counts as accepted, and Verify and Info go on reporting it. A file that can
// be archived is archived instead, and Quarantine says so by an error. What
// says nothing about the file, such as a store out of reach, comes back as it
// is.
func (a *Archive) Quarantine(ctx context.Context, d *DataDir, path, reason string) (string, error) {
	path = d.Resolve(path)
	if reason == "" || len(reason) > maxReason {
		return "", fmt.Errorf("quarantine needs a reason of 1 to %d bytes: it is what people will read at the next recovery", maxReason)
	}
	switch done, err := a.Push(ctx, d, path); {
	case err == nil && done.Quarantined:
		return done.Object, nil
	case err == nil:
		return "", fmt.Errorf("nothing to quarantine: the file is sound, and archived now as %s", done.Object)
	case !refused(err):
		return "", fmt.Errorf("nothing was quarantined: %w", err)
	}
	inc, err := a.pushInto(d.Identity())
	if err != nil {
		return "", err
	}
	name, err := wal.ParseName(filepath.Base(path), inc.SegmentSize)
	if err != nil {
		return "", err
	}
	f := &Facts{SystemID: inc.SystemID, Reason: reason}
	if f.Digest, f.Size, err = fileDigest(path); err != nil {
		return "", err
	}
	object, err := a.firstFree(ctx, func(nth int) string { return quarantineObject(inc.Number, name, nth) })
	if err != nil {
		return "", err
	}
	return object, a.putSealed(ctx, KindQuarantine, object, f, fileContent(path, f.Digest))
}

// putSealed seals c and stores it under object.
func (a *Archive) putSealed(ctx context.Context, kind Kind, object string, f *Facts, c content) error {
	b, err := a.seal(kind, object, f, c)
	if err != nil {
		return err
	}
	defer b.Close()
	return a.bucket.Put(ctx, object, b)
}

// firstFree is the first of the numbered names 1, 2, 3, ... that is not taken.
func (a *Archive) firstFree(ctx context.Context, object func(nth int) string) (string, error) {
	for nth := 1; ; nth++ {
		_, err := a.bucket.Stat(ctx, object(nth))
		if errors.Is(err, storage.ErrNotExist) {
			return object(nth), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// fileDigest is the digest of a file's bytes as they lie there.
func fileDigest(path string) (crypt.Digest, int64, error) {
	f, _, err := openFile(path)
	if err != nil {
		return crypt.Digest{}, 0, err
	}
	defer f.Close()
	var d crypt.Digester
	n, err := io.Copy(&d, f)
	return d.Sum(), n, err
}

// fileContent streams a file that must still have the digest d.
func fileContent(path string, d crypt.Digest) content {
	return content{stream: func(w io.Writer) error {
		f, _, err := openFile(path)
		if err != nil {
			return changed(err)
		}
		defer f.Close()
		var again crypt.Digester
		if _, err := io.Copy(io.MultiWriter(w, &again), f); err != nil {
			return err
		}
		if again.Sum() != d {
			return changed(errTwoReadings)
		}
		return nil
	}}
}

// underQuarantine looks for the bytes at path among the quarantined files of
// that name.
func (a *Archive) underQuarantine(ctx context.Context, inc Incarnation, name wal.Name, path string) (string, bool, error) {
	var digest crypt.Digest
	for info, err := range a.bucket.List(ctx, quarantineStem(inc.Number, name)+".", "") {
		if err != nil {
			return "", false, err
		}
		if n, ok := parseQuarantine(info.Name, inc); !ok || n != name {
			continue // of 0000000100000000000000A3 as well as of its .partial
		}
		f, err := a.facts(ctx, KindQuarantine, info.Name)
		if err != nil {
			return "", false, err
		}
		if digest.IsZero() {
			if digest, _, err = fileDigest(path); err != nil {
				return "", false, err
			}
		}
		if f.Digest == digest {
			return info.Name, true, nil
		}
	}
	return "", false, nil
}
