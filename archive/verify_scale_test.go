package archive_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"testing"

	"walarchive/archive"
	"walarchive/archive/wal"
	"walarchive/storage"
)

// vast is a bucket that lists many segments that are not there. atEnd is called
// when the last was listed.
type vast struct {
	storage.Bucket
	segments wal.SegmentNo
	atEnd    func()
}

func (v *vast) List(ctx context.Context, prefix, after string) iter.Seq2[storage.Info, error] {
	if prefix != "wal/" {
		return v.Bucket.List(ctx, prefix, after)
	}
	return func(yield func(storage.Info, error) bool) {
		for no := range v.segments {
			s := wal.Segment{Timeline: 1, No: no, Size: small.SegmentSize}
			name := fmt.Sprintf("wal/00000001/%s/%08X/%s", s.Timeline.Hex(), s.Log(), s)
			if !yield(storage.Info{Name: name, Size: 4 << 20}, nil) {
				return
			}
		}
		v.atEnd()
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What verify remembers of a listing is a few bytes for each segment: eight,
// and the room that a slice keeps to grow.
func TestVerifyHoldsManySegments(t *testing.T) {
	const segments = 250_000
	s := newSite(t, archive.Options{})
	before, held := heap(), int64(0)
	b := &vast{s.stored, segments, func() { held = heap() - before }}
	a, err := archive.Open(t.Context(), b, s.ring, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, a, archive.VerifyOptions{Level: archive.LevelNames})
	if !r.Sound() || r.Timelines[0].Segments != segments {
		t.Fatalf("got %s, %+v", found(r), r.Timelines)
	}
	t.Logf("%.1f bytes held for a segment", float64(held)/segments)
	if held > 24*segments {
		t.Errorf("%d bytes are held for %d segments", held, segments)
	}
}

func BenchmarkVerifyNames(b *testing.B) {
	s := newSite(b, archive.Options{})
	a, err := archive.Open(b.Context(), &vast{s.stored, 100_000, func() {}}, s.ring, archive.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		verify(b, a, archive.VerifyOptions{Level: archive.LevelNames})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/segment")
}

// Full verification in bytes of WAL per second, on all cores.
func BenchmarkVerifyFull(b *testing.B) { benchmarkVerify(b, archive.LevelFull) }

func BenchmarkVerifyFacts(b *testing.B) { benchmarkVerify(b, archive.LevelFacts) }

func benchmarkVerify(b *testing.B, level archive.Level) {
	const segments = 64
	s := newSite(b, archive.Options{})
	s.fill(segments)
	if level == archive.LevelFull {
		b.SetBytes(segments * small.SegmentSize)
	}
	for b.Loop() {
		if r := verify(b, s.a, archive.VerifyOptions{Level: level}); !r.Sound() {
			b.Fatal(found(r))
		}
	}
}

// A get of one segment, plain and for a server that encrypts.
func BenchmarkGet(b *testing.B) {
	for name, target := range map[string]func(s *site) *archive.DataDir{
		"plain":     func(s *site) *archive.DataDir { return s.target },
		"encrypted": func(s *site) *archive.DataDir { return encrypted(b) },
	} {
		b.Run(name, func(b *testing.B) {
			s := newSite(b, archive.Options{})
			names, _ := s.fill(1)
			d := target(s)
			a := s.open(d)
			b.SetBytes(small.SegmentSize)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Get(b.Context(), d, names[0], recoveryDest, archive.GetOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
