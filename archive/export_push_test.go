package archive

import (
	"bytes"
	"context"

	"walarchive/crypt/tde"
	"walarchive/keys"
)

// ReadTwice makes segments of any size count as too large to be read into
// memory.
func (o Options) ReadTwice() Options {
	o.Whole = 1
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

// Complete is what push asks about a name that is taken.
func (a *Archive) Complete(ctx context.Context, kind Kind, object string) error {
	_, err := a.completeFacts(ctx, kind, object)
	return err
}

// AppendNothing adds an entry to the key chain that changes nothing.
func (a *Archive) AppendNothing(ctx context.Context) error {
	done := false
	return a.append(ctx, func(c *keys.Chain, s keys.Stamp) ([]byte, error) {
		if done {
			return nil, nil
		}
		done = true
		return c.Record(s, []byte("{}"))
	})
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
