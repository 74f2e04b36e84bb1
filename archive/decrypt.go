package archive

import (
	"context"
	"fmt"
	"io"
	"sync"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// decryption takes the bytes of a preserved segment, in whole pages, and passes
// on its plaintext: checked, and in the canonical form in which push would have
// stored it.
type decryption struct {
	seg     wal.Segment
	cipher  *tde.Cipher
	scanner *wal.Scanner
	next    io.Writer
	off     int64
	buf     []byte
}

// decryption prepares to decrypt the segment that f describes. It gets the
// principal key that the facts name.
func (a *Archive) decryption(ctx context.Context, f *Facts, name wal.Name, fetch tde.Fetch, scan wal.ScanOptions, next io.Writer) (*decryption, error) {
	k, err := f.TDE.Open(fetch)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c, err := k.Cipher(ctx, name.Segment)
	if err != nil {
		return nil, preservedTrouble(err)
	}
	if !c.Encrypted() {
		return nil, fmt.Errorf("%w: its keys are not those of the segment", ErrDamaged)
	}
	scan.KeepTail = name.Kind == wal.KindPartial
	return &decryption{seg: name.Segment, cipher: c, scanner: wal.NewScanner(name.Segment, scan), next: next}, nil
}

// preservedTrouble says that the keys of a preserved segment cannot be had.
func preservedTrouble(err error) error {
	return advise(fmt.Errorf("%w: %w", ErrTDE, err), "the segment is stored as its server encrypted it and opens only with that principal key: "+
		"bring it back into the key service, or say where that is on this host: [tde.providers.NAME]")
}

// Write does not keep or change p.
func (d *decryption) Write(p []byte) (int, error) {
	d.buf = append(d.buf[:0], p...)
	d.cipher.XOR(d.buf, d.off)
	d.off += int64(len(p))
	if err := d.scanner.Next(d.buf); err != nil {
		return 0, err
	}
	if _, err := d.next.Write(d.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// close ends the decryption. A segment must be sound WAL up to its end, or at
// least up to enough, if that is not zero; of a .partial something must be.
func (d *decryption) close(kind wal.Kind, enough wal.LSN) (wal.Facts, error) {
	facts, end := d.scanner.Close()
	switch {
	case end.Kind != wal.EndInvalid:
		return facts, nil
	case enough != 0 && end.LSN >= enough:
		return facts, nil
	case kind == wal.KindPartial && end.LSN > d.seg.Start():
		return facts, nil
	}
	err := fmt.Errorf("%w: it was stored as its server encrypted it, and decrypted its WAL ends at %v: %w", ErrInvalid, end.LSN, end.Cause)
	return facts, advise(err, "it was not sound when it was archived, or wal_keys was another server's; look for the segment on another node")
}

// storedDigest is the digest that a preserved segment would have if it had been
// decrypted before it was stored.
func (a *Archive) storedDigest(ctx context.Context, kind Kind, object string, name wal.Name) (crypt.Digest, error) {
	o, err := a.open(ctx, kind, object)
	if err != nil {
		return crypt.Digest{}, err
	}
	defer o.Close()
	var digest crypt.Digester
	d, err := a.decryption(ctx, o.Facts, name, a.TDE, wal.ScanOptions{}, &digest)
	if err != nil {
		return crypt.Digest{}, err
	}
	defer d.cipher.Wipe()
	if err := passOn(o, object, name.Segment.Size, d); err != nil {
		return crypt.Digest{}, err
	}
	return digest.Sum(), nil
}

// remember is fetch that asks for each key once, whatever the answer is.
func remember(fetch tde.Fetch) tde.Fetch {
	type question struct{ record, name string }
	var mu sync.Mutex
	answers := map[question]func() (crypt.Key, error){}
	return func(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
		q := question{string(p.Raw()), name}
		mu.Lock()
		answer, known := answers[q]
		if !known {
			answer = sync.OnceValues(func() (crypt.Key, error) { return fetch(ctx, p, name) })
			answers[q] = answer
		}
		mu.Unlock()
		return answer()
	}
}
