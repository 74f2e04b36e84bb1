package archive

import (
	"bytes"
	"io"
	"sync"

	"walarchive/crypt/seal"
)

// draft is an object that is sealed while its content is looked at. What it
// turns out to be decides whether it is stored as it was begun.
type draft struct {
	*seal.Draft
	kind Kind
	name string
	tip  ChainTip // when it was begun
}

// draft begins the object name, of about size bytes of content. Close it when
// what it was made for is done.
func (a *Archive) draft(kind Kind, name string, size int64) (*draft, error) {
	o, key, tip := a.sealOptions(kind, name)
	d, err := seal.NewDraft(key, size, o)
	if err != nil {
		return nil, err
	}
	return &draft{d, kind, name, tip}, nil
}

// is reports whether d was begun as this object.
func (d *draft) is(kind Kind, name string) bool {
	return d != nil && d.kind == kind && d.name == name
}

// borrowed is a body in memory that others want back: once it is closed nobody
// reads it any more, not even a transport that has not noticed yet that its
// request is over.
type borrowed struct {
	mu sync.RWMutex
	r  *bytes.Reader
	n  int64
}

func borrow(b []byte) *borrowed { return &borrowed{r: bytes.NewReader(b), n: int64(len(b))} }

func (b *borrowed) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errBodyClosed
	}
	return b.r.Read(p)
}

func (b *borrowed) ReadAt(p []byte, off int64) (int, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.r == nil {
		return 0, errBodyClosed
	}
	return b.r.ReadAt(p, off)
}

func (b *borrowed) Seek(off int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errBodyClosed
	}
	return b.r.Seek(off, whence)
}

func (b *borrowed) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
	return nil
}

// Size is that of the body; see storage.BodySize.
func (b *borrowed) Size() int64 { return b.n }

func (b *borrowed) sealed() int64 { return b.n }

var _ interface {
	body
	io.ReaderAt
} = (*borrowed)(nil)
