package storage

import (
	"context"
	"fmt"
	"io"
	"math"
)

// ReadAll is the content of an object of at most limit bytes. A larger one
// gives ErrTooLarge, of which no more than limit bytes and one were read.
func ReadAll(ctx context.Context, b Bucket, name string, limit int64) (_ []byte, err error) {
	limit = min(limit, math.MaxInt64-1)
	r, err := b.Get(ctx, name, 0, limit+1)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &Error{"get", name, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)}
	}
	return data, nil
}
