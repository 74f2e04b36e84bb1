package tde

import (
	"io"

	"walarchive/archive/wal"
)

// pageFits reports whether the header of a page is that of WAL at offset off
// of seg. Noise practically never passes.
func pageFits(seg wal.Segment, off int64, header []byte) bool {
	h, err := wal.ParsePageHeader(header)
	return err == nil && knownMagic(h.Magic) &&
		h.Address == seg.Start()+wal.LSN(off) &&
		h.Timeline != 0 && h.Timeline <= seg.Timeline
}

func knownMagic(magic uint16) bool {
	for major := 15; ; major++ {
		switch m, known := wal.PageMagic(major); {
		case !known:
			return false
		case m == magic:
			return true
		}
	}
}

// A page is the header of one page, before and after decryption.
type page struct {
	off        int64
	raw, plain [wal.LongHeaderSize]byte
}

func (c *Cipher) page(r io.ReaderAt, off int64) (page, error) {
	p := page{off: off}
	if _, err := r.ReadAt(p.raw[:], off); err != nil {
		return page{}, err
	}
	p.plain = p.raw
	c.xor(p.plain[:], off)
	return p, nil
}

func (c *Cipher) fits(p page) bool    { return pageFits(c.seg, p.off, p.plain[:]) }
func (c *Cipher) rawFits(p page) bool { return pageFits(c.seg, p.off, p.raw[:]) }

// empty reports whether the page decrypts to zeros, as those do that the
// server writes behind a segment switch.
func (p page) empty() bool { return p.plain == [wal.LongHeaderSize]byte{} }

// firstBad is the first page from offset off on that is neither empty nor fits
// its place once decrypted, and how many such pages follow one another there.
func (c *Cipher) firstBad(r io.ReaderAt, off int64) (bad page, run int, err error) {
	for off -= off % wal.PageSize; off < c.seg.Size; off += wal.PageSize {
		p, err := c.page(r, off)
		if err != nil {
			return page{}, 0, err
		}
		switch fits := p.empty() || c.fits(p); {
		case fits && run > 0:
			return bad, run, nil
		case fits:
			continue
		case run == 0:
			bad = p
		}
		run++
	}
	return bad, run, nil
}
