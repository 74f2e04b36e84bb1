package archive

import (
	"errors"
	"fmt"
	"io"

	"walarchive/storage/mirror"
)

// stores are the places where the archive's objects lie, the first first; none
// if there is but one.
func (a *Archive) stores() []mirror.Store {
	return mirror.StoresOf(a.bucket)
}

// mirrors are the stores behind the first.
func (a *Archive) mirrors() []mirror.Store {
	if all := a.stores(); len(all) > 0 {
		return all[1:]
	}
	return nil
}

// in is the archive as one of its stores has it, without help of the others.
func (a *Archive) in(s mirror.Store) *Archive {
	return &Archive{bucket: s.Bucket, ring: a.ring, Options: a.Options, chainState: a.chainState}
}

// inFirst is the archive as its first store has it.
func (a *Archive) inFirst() *Archive {
	if all := a.stores(); len(all) > 0 {
		return a.in(all[0])
	}
	return a
}

// origin says where an object's bytes came from.
type origin struct {
	store string // "" if there is but one
	cause error  // why not from the first store; nil if they did
}

// warning is for the log, "" if there is nothing to warn of.
func (o origin) warning() string {
	if o.cause == nil {
		return ""
	}
	return fmt.Sprintf("from the mirror %s, because of the first store: %v", o.store, o.cause)
}

func originOf(body io.Reader) origin {
	if r, ok := body.(*mirror.Reader); ok {
		return origin{r.Store, r.Cause}
	}
	return origin{}
}

// counted counts the bytes of an object that were read.
type counted struct {
	io.ReadCloser
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}

// elsewhere tries f on the mirrors, one after the other, when the object of the
// first store that gave err is damaged. It gives err if none has a sound one.
func elsewhere[T any](a *Archive, err error, f func(alone *Archive) (T, error)) (T, origin, error) {
	if errors.Is(err, ErrDamaged) {
		for _, s := range a.mirrors() {
			v, e := f(a.in(s))
			if e == nil {
				return v, origin{s.Name, err}, nil
			}
			a.Log.Debug("a mirror does not help", "store", s.Name, "error", e)
		}
	}
	var none T
	return none, origin{}, err
}
