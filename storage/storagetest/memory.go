package storagetest

import (
	"bytes"
	"context"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"walarchive/storage"
)

// Memory is a bucket that lives as long as the test.
type Memory struct {
	mu      sync.Mutex
	objects map[string]memoryObject
}

type memoryObject struct {
	data []byte
	info storage.Info
}

var _ storage.Bucket = (*Memory)(nil)

// NewMemory is an empty bucket.
func NewMemory() *Memory { return &Memory{objects: map[string]memoryObject{}} }

func (m *Memory) Put(ctx context.Context, name string, body io.ReadSeeker) error {
	if err := begin(ctx, "put", name); err != nil {
		return err
	}
	data, err := readBody(ctx, body)
	if err != nil {
		return &storage.Error{Op: "put", Name: name, Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.objects[name]; taken {
		return &storage.Error{Op: "put", Name: name, Err: storage.ErrExist}
	}
	m.objects[name] = memoryObject{data, storage.Info{Name: name, Size: int64(len(data)), ModTime: time.Now()}}
	return nil
}

func readBody(ctx context.Context, body io.ReadSeeker) ([]byte, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(contextReader{ctx, body})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = storage.CheckSize(body, int64(len(data)))
	}
	return data, err
}

func (m *Memory) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	o, err := m.object(ctx, "get", name)
	if err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, &storage.Error{Op: "get", Name: name, Err: storage.ErrInvalid}
	}
	if n < 0 {
		n = math.MaxInt64 - off
	}
	section := io.NewSectionReader(bytes.NewReader(o.data), off, n)
	return io.NopCloser(contextReader{ctx, section}), nil
}

func (m *Memory) Stat(ctx context.Context, name string) (storage.Info, error) {
	o, err := m.object(ctx, "stat", name)
	return o.info, err
}

func (m *Memory) object(ctx context.Context, op, name string) (memoryObject, error) {
	if err := begin(ctx, op, name); err != nil {
		return memoryObject{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[name]
	if !ok {
		return o, &storage.Error{Op: op, Name: name, Err: storage.ErrNotExist}
	}
	return o, nil
}

// List yields what was there when it began.
func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		m.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(objects)) {
			if ctx.Err() != nil {
				break
			}
			if strings.HasPrefix(name, prefix) && name > after && !yield(objects[name].info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(storage.Info{}, &storage.Error{Op: "list", Name: prefix, Err: err})
		}
	}
}

func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := begin(ctx, "delete", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

func begin(ctx context.Context, op, name string) error {
	if err := storage.CheckName(op, name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return &storage.Error{Op: op, Name: name, Err: err}
	}
	return nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
