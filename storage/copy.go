package storage

import (
	"context"
	"errors"
	"io"
)

// Copy stores the bytes of the object called name in from as the object as in
// to. A taken name gives ErrExist, a missing object ErrNotExist.
func Copy(ctx context.Context, from Bucket, name string, to Bucket, as string) error {
	info, err := from.Stat(ctx, name)
	if err != nil {
		return err
	}
	body := NewStoredBody(ctx, from, info)
	return errors.Join(to.Put(ctx, as, body), body.Close())
}

// A StoredBody is a Put's body whose bytes are those of a stored object. It
// opens the object where it is read next.
type StoredBody struct {
	ctx    context.Context
	bucket Bucket
	info   Info
	pos    int64         // of the next Read
	r      io.ReadCloser // there; nil: not open
}

// NewStoredBody is a body of the object that info describes, which lies in b.
// It reads until ctx ends. Whoever made it closes it.
func NewStoredBody(ctx context.Context, b Bucket, info Info) *StoredBody {
	return &StoredBody{ctx: ctx, bucket: b, info: info}
}

// Size is the object's length in bytes.
func (s *StoredBody) Size() int64 { return s.info.Size }

func (s *StoredBody) Read(p []byte) (int, error) {
	if s.r == nil {
		r, err := s.bucket.Get(s.ctx, s.info.Name, s.pos, -1)
		if err != nil {
			return 0, err
		}
		s.r = r
	}
	n, err := s.r.Read(p)
	s.pos += int64(n)
	return n, err
}

// Seek sets where to read next.
func (s *StoredBody) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += s.pos
	case io.SeekEnd:
		off += s.info.Size
	}
	if off < 0 {
		return 0, invalid("position %d is before the start", off)
	}
	if off == s.pos {
		return off, nil
	}
	s.pos = off
	return off, s.Close()
}

func (s *StoredBody) Close() error {
	if s.r == nil {
		return nil
	}
	r := s.r
	s.r = nil
	return r.Close()
}
