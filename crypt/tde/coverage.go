package tde

import (
	"fmt"
	"io"

	"walarchive/archive/wal"
)

// CheckCoverage holds the segment, raw as it is on disk, against what the key
// ranges say, as far as that shows without any key: no page under an encrypted
// range is readable WAL, and the first page of each stretch in plaintext is. A
// contradiction wraps ErrMismatch and carries a hint. Nil proves little: of
// ciphertext nothing else can be told.
func (k *Keys) CheckCoverage(raw io.ReaderAt, seg wal.Segment) error {
	source, err := k.Source(seg)
	if err != nil {
		return err
	}
	c := &Cipher{keys: k, seg: seg, source: source} // without key streams: what is raw stays so
	before := Span{Entry: -2}
	for off := int64(0); off < seg.Size; off += wal.PageSize {
		p, err := c.page(raw, off)
		if err != nil {
			return fmt.Errorf("check %v: %w", seg, err)
		}
		span := c.spanAt(off)
		if span != c.spanAt(off+wal.LongHeaderSize-1) {
			continue // a range begins within the header
		}
		switch first := span != before; {
		case span.Type == Encrypted && c.rawFits(p):
			return c.plaintext(p, span)
		case span.Type != Encrypted && first && !c.rawFits(p) && !p.empty():
			return c.ciphertext(p, span)
		}
		before = span
	}
	return nil
}
