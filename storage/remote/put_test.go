package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"walarchive/storage"
)

func same(err error) error { return err }

var errBody = errors.New("the disk is gone")

// broken is a body that cannot be read.
type broken struct{ *bytes.Reader }

func (broken) Read([]byte) (int, error) { return 0, errBody }

func TestPut(t *testing.T) {
	reset := errors.New("connection reset")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		object string
		body   io.ReadSeeker
		answer error
		want   error
	}{
		{"stored", t.Context(), "x", strings.NewReader("body"), nil, nil},
		{"refused", t.Context(), "x", strings.NewReader("body"), storage.ErrExist, storage.ErrExist},
		{"the body fails", t.Context(), "x", broken{bytes.NewReader(nil)}, reset, errBody},
		{"the context ends", ended, "x", strings.NewReader("body"), reset, context.Canceled},
		{"a bad name", t.Context(), "../x", strings.NewReader("body"), nil, storage.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Put(c.ctx, c.object, c.body, func(_ context.Context, _ string, body io.ReadSeeker) error {
				_, _ = io.ReadAll(body)
				return c.answer
			}, same)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			var e *storage.Error
			if err != nil && (!errors.As(err, &e) || e.Op != "put") {
				t.Errorf("got %v, want an error that names the operation", err)
			}
		})
	}
}

// What reads on after the Put must not reach the caller's body.
func TestPutTakesTheBodyBack(t *testing.T) {
	body := strings.NewReader("body")
	var kept io.ReadSeeker
	err := Put(t.Context(), "x", body, func(_ context.Context, _ string, b io.ReadSeeker) error {
		kept = b
		if got := storage.BodySize(b); got != 4 {
			t.Errorf("size %d, want 4", got)
		}
		return nil
	}, same)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := kept.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read after the end: got %d, %v", n, err)
	}
	if _, err := kept.Seek(0, io.SeekEnd); err == nil {
		t.Error("seek after the end: no error")
	}
	if body.Len() != 4 {
		t.Errorf("%d bytes are left of the body, want 4", body.Len())
	}
}
