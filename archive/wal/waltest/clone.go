package waltest

import (
	"bytes"
	"maps"
)

// Clone is a writer that goes on from where w is: a second server with the
// same past.
func (w *Writer) Clone() *Writer {
	c := *w
	c.segments = maps.Clone(w.segments)
	for no, b := range c.segments {
		c.segments[no] = bytes.Clone(b)
	}
	return &c
}
