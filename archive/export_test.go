package archive

import (
	"context"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// PutForged seals plain, whatever it is, as the archive's own: what a push with
// a mistake in it could have stored. The facts claim a segment of size bytes.
func PutForged(t testing.TB, a *Archive, kind Kind, object string, id wal.Identity, size int64, plain []byte) {
	t.Helper()
	s, ok := parseWALObject(object, id.SegmentSize)
	if !ok {
		t.Fatalf("%s is no WAL object", object)
	}
	f := &Facts{Size: size, Digest: crypt.DigestBytes(plain), SystemID: id.SystemID, Proof: ProofFull}
	if kind == KindSegment || kind == KindPartial {
		var err error
		if f.WAL, err = factsOf(s.Name.Segment, id, plain); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.putSealed(context.Background(), kind, object, f, content{plain: plain}); err != nil {
		t.Fatal(err)
	}
}

// DamagedObject is damagedObject.
func DamagedObject(object string, nth int) string { return damagedObject(object, nth) }

// PutRaw stores bytes under a name as they are.
func (a *Archive) PutRaw(ctx context.Context, object string, b []byte) error {
	return a.put(ctx, object, b)
}

// PutWithFacts seals plain with facts about another content, claimed.
func PutWithFacts(t testing.TB, a *Archive, object string, id wal.Identity, claimed, plain []byte) {
	t.Helper()
	s, ok := parseWALObject(object, id.SegmentSize)
	if !ok {
		t.Fatalf("%s is no WAL object", object)
	}
	f := &Facts{Size: id.SegmentSize, Digest: crypt.DigestBytes(plain), SystemID: id.SystemID, Proof: ProofFull}
	facts, err := factsOf(s.Name.Segment, id, claimed)
	if err != nil {
		t.Fatal(err)
	}
	f.WAL = facts
	if err := a.putSealed(context.Background(), KindSegment, object, f, content{plain: plain}); err != nil {
		t.Fatal(err)
	}
}

func factsOf(seg wal.Segment, id wal.Identity, plain []byte) (*wal.Facts, error) {
	scanner := wal.NewScanner(seg, wal.ScanOptions{Identity: id, KeepTail: true})
	if err := scanner.Next(plain); err != nil {
		return nil, err
	}
	facts, _ := scanner.Close()
	return &facts, nil
}
