package archive

import (
	"bytes"
	"context"

	"walarchive/crypt/tde"
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

// ParseFacts reads what Encode writes.
func ParseFacts(b []byte) (*Facts, error) { return parseFacts(b) }

// Encode is the JSON of the facts.
func (f *Facts) Encode() ([]byte, error) { return f.encode() }

// LimitSource notes a source as setSource does.
func (f *Facts) LimitSource(s tde.Source) { f.limitSource(s) }

// SealedFacts is the JSON in a stored object.
func (a *Archive) SealedFacts(ctx context.Context, kind Kind, object string) ([]byte, error) {
	o, err := a.open(ctx, kind, object)
	if err != nil {
		return nil, err
	}
	return o.Reader.Facts(), o.Close()
}

// ChainDigest is the digest of the newest key-chain entry.
func (a *Archive) ChainDigest() string {
	_, digest := a.chain.Tip()
	return digest.String()
}
