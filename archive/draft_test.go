package archive

import (
	"errors"
	"io"
	"testing"
)

// TestBorrowedIsNotReadOnceClosed: the memory of a body serves the next object,
// whatever a transport still holds of its request.
func TestBorrowedIsNotReadOnceClosed(t *testing.T) {
	b := borrow([]byte("sealed"))
	p := make([]byte, 3)
	if n, err := b.Read(p); n != 3 || err != nil {
		t.Fatalf("got %d bytes, %v", n, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, atErr := b.ReadAt(p, 0)
	_, seekErr := b.Seek(0, io.SeekStart)
	n, err := b.Read(p)
	for what, err := range map[string]error{"Read": err, "ReadAt": atErr, "Seek": seekErr} {
		if !errors.Is(err, errBodyClosed) {
			t.Errorf("%s: got %v, want %v", what, err, errBodyClosed)
		}
	}
	if n != 0 || b.Size() != 6 {
		t.Errorf("got %d bytes of a body of %d, want 0 of 6", n, b.Size())
	}
}
