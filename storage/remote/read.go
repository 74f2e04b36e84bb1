package remote

import (
	"context"
	"io"
	"iter"

	"walarchive/storage"
)

// List yields objects, and ends with the first error. See Failure on classify.
// Where no name begins with prefix it asks for none: not all stores have an
// answer to what can be no name.
func List(ctx context.Context, prefix string, objects iter.Seq2[storage.Info, error], classify func(error) error) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if !storage.ValidName(prefix) && !storage.ValidName(prefix+"x") {
			return
		}
		for info, err := range objects {
			if err != nil {
				yield(storage.Info{}, Failure(ctx, "list", prefix, err, classify))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// A Reader reads what a Get opened, and holds the store to the length that it
// announced.
type Reader struct {
	Context  context.Context // of the Get
	Name     string
	Body     io.ReadCloser
	Left     int64             // bytes that are still to come
	Classify func(error) error // see Failure
}

func (r *Reader) Read(p []byte) (int, error) {
	if r.Context.Err() != nil {
		return 0, r.failure(nil) // though bytes may wait in a buffer
	}
	n, err := r.Body.Read(p)
	r.Left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && r.Left == 0:
		return n, io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, r.failure(err)
}

func (r *Reader) failure(err error) error {
	return Failure(r.Context, "get", r.Name, err, r.Classify)
}

// Close closes Body.
func (r *Reader) Close() error { return r.Body.Close() }
