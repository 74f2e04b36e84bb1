package tde

import (
	"context"
	"fmt"
	"io"

	"walarchive/archive/wal"
)

// Diagnose names the cause when the segment, raw as it is on disk, does not
// read as WAL once decrypted: from the page that holds offset off on it looks
// for the first page that is none, and compares what stands there with what
// the key ranges say. The error wraps ErrMismatch and carries a hint. Nil says
// that the keys are not the cause, as far as page headers tell: the bytes are
// damaged, or another segment's.
func (c *Cipher) Diagnose(raw io.ReaderAt, off int64) error {
	bad, run, err := c.firstBad(raw, max(off, 0))
	if err != nil {
		return fmt.Errorf("diagnose %v: %w", c.seg, err)
	}
	if run == 0 {
		return nil
	}
	span := c.spanAt(bad.off)
	switch encrypted := span.Type == Encrypted; {
	case c.rawFits(bad):
		return c.plaintext(bad, span)
	case bad.raw == [wal.LongHeaderSize]byte{}:
		return c.neverWritten(bad, span)
	case run == 1 && bad.off > 0 || fromElsewhere(bad.plain[:]):
		return nil
	case fromElsewhere(bad.raw[:]):
		return c.foreign(bad, span)
	case encrypted:
		return c.noise(bad, span)
	default:
		return c.ciphertext(bad, span)
	}
}

// spanAt is the span that holds offset off; without one it has no type.
func (c *Cipher) spanAt(off int64) Span {
	for _, s := range c.source.Spans {
		if s.From <= off && off < s.To {
			return s
		}
	}
	return Span{Entry: -1}
}

// fromElsewhere reports whether a page is WAL of another place.
func fromElsewhere(header []byte) bool {
	h, err := wal.ParsePageHeader(header)
	return err == nil && knownMagic(h.Magic) && h.Address%wal.PageSize == 0
}

// foreign: plain WAL, but not this segment's, under an encrypted range.
func (c *Cipher) foreign(bad page, s Span) error {
	return c.mismatch(bad, fmt.Sprintf("plaintext of another segment, though entry %d of %s encrypts it", s.Entry, c.file()),
		"it was copied or renamed by hand: bring the server's own file")
}

// plaintext: the page is WAL as it stands, but a range says it is encrypted.
func (c *Cipher) plaintext(bad page, s Span) error {
	if bad.off > s.From {
		return c.mismatch(bad, fmt.Sprintf("plaintext, though entry %d of %s encrypts it: the entry that switched encryption off is missing", s.Entry, c.file()),
			c.staleHint())
	}
	return c.mismatch(bad, fmt.Sprintf("plaintext, though entry %d of %s encrypts it", s.Entry, c.file()),
		"it came past pg_tde, as with a base backup that streams WAL without --encrypt-wal: take that with -E, -X fetch or -X none; or these are another server's keys")
}

// neverWritten: zeros that did not go through pg_tde.
func (c *Cipher) neverWritten(bad page, s Span) error {
	return c.mismatch(bad, fmt.Sprintf("zeros that pg_tde never wrote, in the range of entry %d: the segment is unfinished", s.Entry),
		"only the last segment of a timeline ends like this; the server archives it as .partial")
}

// noise: the key of the range in force does not fit.
func (c *Cipher) noise(bad page, s Span) error {
	if bad.off > s.From {
		return c.mismatch(bad, fmt.Sprintf("noise under entry %d of %s, which fits up to there: a later entry is missing", s.Entry, c.file()),
			c.staleHint())
	}
	if size := c.otherSize(bad); size != 0 {
		return c.mismatch(bad, fmt.Sprintf("noise, but WAL if segments have %d bytes instead of %d", size, c.seg.Size),
			"the segment size is the cluster's: is the file cut short, or too long?")
	}
	return c.mismatch(bad, fmt.Sprintf("noise under entry %d of %s", s.Entry, c.file()),
		"these are the keys of another server, or a copy older than the segment: use the directory of the server that wrote it, as it is now")
}

// ciphertext: noise where the ranges say plaintext.
func (c *Cipher) ciphertext(bad page, s Span) error {
	f := c.keys.dir.KeyFile
	switch {
	case c.keys.dir.Missing:
		return c.mismatch(bad, fmt.Sprintf("noise, probably encrypted, but there is no %s", c.file()), c.missingHint())
	case f.Header == nil:
		return c.mismatch(bad, fmt.Sprintf("noise, probably encrypted, but %s is empty", c.file()), c.missingHint())
	case s.Type == Unencrypted:
		return c.mismatch(bad, fmt.Sprintf("noise, probably encrypted, though plaintext by entry %d of %s: the entry that switched encryption on again is missing", s.Entry, c.file()),
			c.staleHint())
	case len(c.keys.ranges) == 0:
		return c.mismatch(bad, fmt.Sprintf("noise, probably encrypted, but %s has no range yet", c.file()), c.staleHint())
	}
	return c.mismatch(bad, fmt.Sprintf("noise, probably encrypted, but the first range in %s begins at %v", c.file(), c.keys.ranges[0].Start),
		"these are the keys of another server: use the directory of the server that wrote the segment")
}

// otherSize is the segment size with which the page decrypts; 0 if there is none.
func (c *Cipher) otherSize(bad page) int64 {
	if bad.off != 0 {
		return 0
	}
	for size := int64(wal.MinSegmentSize); size <= wal.MaxSegmentSize; size *= 2 {
		seg, err := wal.ParseSegment(c.seg.String(), size)
		if err != nil || size == c.seg.Size {
			continue
		}
		// The principal key is at hand: the range in force needed it.
		other, err := c.keys.cipher(context.Background(), seg)
		if err != nil {
			continue
		}
		p := bad
		p.plain = p.raw
		other.xor(p.plain[:], 0)
		if other.fits(p) {
			return size
		}
	}
	return 0
}

func (c *Cipher) mismatch(bad page, what, advice string) error {
	at := c.seg.Start() + wal.LSN(bad.off)
	return hint(fmt.Errorf("%w: from %v (offset %d) on %s", ErrMismatch, at, bad.off, what), advice)
}

func (c *Cipher) file() string { return c.keys.dir.keyFilePath() }

func (c *Cipher) staleHint() string {
	return "wal_keys gains an entry with every start of the server: use its directory as it is now, not an older copy"
}

func (c *Cipher) missingHint() string {
	return "use the key directory of the server that wrote the segment; with pg_wal as a symbolic link, name the data directory itself"
}
