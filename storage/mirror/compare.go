package mirror

import (
	"context"
	"iter"

	"walarchive/storage"
)

// A Pair is an object that one of two stores has, or both.
type Pair struct {
	Name string
	A, B *storage.Info // nil: that store does not list it
}

// Compare lists two stores side by side, in the order of names. An error is
// yielded last. An object written or deleted meanwhile may be missing in
// either.
func Compare(ctx context.Context, a, b storage.Bucket) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		x, y := pull(ctx, a), pull(ctx, b)
		defer x.stop()
		defer y.stop()
		for {
			p, ok := next(x, y)
			if err := firstError(x, y); err != nil {
				yield(Pair{}, err)
				return
			}
			if !ok || !yield(p, nil) {
				return
			}
		}
	}
}

// next takes the object that comes next in either list; false at the end of
// both.
func next(x, y *head) (Pair, bool) {
	switch a, b := x.peek(), y.peek(); {
	case a == nil && b == nil:
		return Pair{}, false
	case b == nil || a != nil && a.Name < b.Name:
		x.take()
		return Pair{a.Name, a, nil}, true
	case a == nil || b.Name < a.Name:
		y.take()
		return Pair{b.Name, nil, b}, true
	default:
		x.take()
		y.take()
		return Pair{a.Name, a, b}, true
	}
}

// head is what comes next in a list.
type head struct {
	pull func() (storage.Info, error, bool)
	stop func()
	info *storage.Info // nil: not pulled yet, or at the end
	over bool
	err  error
}

func pull(ctx context.Context, b storage.Bucket) *head {
	h := &head{}
	h.pull, h.stop = iter.Pull2(b.List(ctx, "", ""))
	return h
}

// peek is the next object, nil at the end or after an error.
func (h *head) peek() *storage.Info {
	if h.info == nil && !h.over {
		info, err, ok := h.pull()
		if h.over = !ok || err != nil; h.over {
			h.err = err
		} else {
			h.info = &info
		}
	}
	return h.info
}

func (h *head) take() { h.info = nil }

func firstError(x, y *head) error {
	if x.err != nil {
		return x.err
	}
	return y.err
}
