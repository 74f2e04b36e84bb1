package archive

import (
	"bytes"
	"context"
)

// ReadTwice makes segments of any size count as too large to be read into
// memory.
func (o Options) ReadTwice() Options {
	o.wholeLimit = 1
	return o
}

// Unseal is the content and the facts of any stored object.
func (a *Archive) Unseal(ctx context.Context, kind Kind, object string) ([]byte, *Facts, error) {
	o, err := a.open(ctx, kind, object)
	if err != nil {
		return nil, nil, err
	}
	defer o.Close()
	var b bytes.Buffer
	_, err = o.WriteTo(&b)
	return b.Bytes(), o.Facts, err
}

// ReadRecord reads the data of a key-chain entry.
func ReadRecord(b []byte) (any, error) {
	var r record
	err := decodeStrict(b, &r)
	return r, err
}
