package archive

import (
	"context"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// PutForged seals plain, whatever it is, as the archive's own: what a push with
// a mistake in it could have stored. The facts are those of a complete segment,
// as far as plain is one, until change has them.
func PutForged(t testing.TB, a *Archive, object string, id wal.Identity, plain []byte, change func(f *Facts)) {
	t.Helper()
	s, ok := parseWALObject(object, id.SegmentSize)
	if !ok {
		t.Fatalf("%s is no WAL object", object)
	}
	scanner := wal.NewScanner(s.Name.Segment, wal.ScanOptions{Identity: id, KeepTail: true})
	if err := scanner.Next(plain[:min(len(plain), int(id.SegmentSize))]); err != nil {
		t.Fatal(err)
	}
	facts, _ := scanner.Close()
	f := &Facts{Size: id.SegmentSize, Digest: crypt.DigestBytes(plain), SystemID: id.SystemID, Proof: ProofFull, WAL: &facts}
	if change != nil {
		change(f)
	}
	if err := a.putSealed(context.Background(), KindSegment, object, f, content{plain: plain}); err != nil {
		t.Fatal(err)
	}
}

// DamagedObject is damagedObject.
func DamagedObject(object string, nth int) string { return damagedObject(object, nth) }

// PutRaw stores bytes under a name as they are.
func (a *Archive) PutRaw(ctx context.Context, object string, b []byte) error {
	return a.put(ctx, object, b)
}
