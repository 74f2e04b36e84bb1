package seal

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"walarchive/fixtures"
)

// recordedWAL is n bytes of WAL of a real server.
func recordedWAL(b *testing.B, n int) []byte {
	b.Helper()
	segment, err := fixtures.Read("pgtde/A-plain/raw/000000010000000000000008.gz")
	if err != nil {
		b.Fatal(err)
	}
	return bytes.Repeat(segment, n/len(segment)+1)[:n]
}

// eachSetting runs bench with all codecs, on one core and on all.
func eachSetting(b *testing.B, bench func(b *testing.B, o Options)) {
	for _, codec := range allCodecs {
		for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
			b.Run(fmt.Sprintf("%v/workers=%d", codec, workers), func(b *testing.B) {
				o := testOptions(codec, 0)
				o.Workers = workers
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
				bench(b, o)
			})
		}
	}
}

func BenchmarkSeal16MiB(b *testing.B) {
	plain, key := recordedWAL(b, 16<<20), testKey(b, 7)
	eachSetting(b, func(b *testing.B, o Options) {
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		var sealed []byte
		for b.Loop() {
			var err error
			if sealed, err = Seal(sealed[:0], plain, key, nil, o); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(plain))/float64(len(sealed)), "ratio")
	})
}

// BenchmarkDraft16MiB is the way of a segment, in memory that was used before.
func BenchmarkDraft16MiB(b *testing.B) {
	plain, key := recordedWAL(b, 16<<20), testKey(b, 7)
	eachSetting(b, func(b *testing.B, o Options) {
		o.Memory = new(Memory)
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			d, err := NewDraft(key, int64(len(plain)), o)
			for rest := plain; err == nil && len(rest) > 0; {
				n := copy(d.Room(), rest)
				err = d.Commit(n)
				rest = rest[n:]
			}
			if err == nil {
				_, err = d.Finish(nil)
			}
			if err != nil {
				b.Fatal(err)
			}
			d.Close()
		}
	})
}

func BenchmarkOpen16MiB(b *testing.B) {
	plain, key := recordedWAL(b, 16<<20), testKey(b, 7)
	eachSetting(b, func(b *testing.B, o Options) {
		sealed, err := Seal(nil, plain, key, nil, o)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(plain)))
		b.ReportAllocs()
		for b.Loop() {
			r, err := Open(bytes.NewReader(sealed), o.expect(), always(key))
			if err == nil {
				err = r.ReadFull(plain)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPack is what sealing spends on compression alone, frame by frame, on
// one core.
func BenchmarkPack(b *testing.B) {
	plain := recordedWAL(b, 16<<20)
	for _, codec := range allCodecs[1:] {
		b.Run(codec.String(), func(b *testing.B) {
			c := codec.coder()
			dst := make([]byte, c.bound(defaultFrame))
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			packed := 0
			for b.Loop() {
				packed = 0
				for off := 0; off < len(plain); off += defaultFrame {
					packed += c.pack(dst, plain[off:off+defaultFrame])
				}
			}
			b.ReportMetric(float64(len(plain))/float64(packed), "ratio")
		})
	}
}

// BenchmarkUnpack is the way back.
func BenchmarkUnpack(b *testing.B) {
	plain := recordedWAL(b, 16<<20)
	for _, codec := range allCodecs[1:] {
		b.Run(codec.String(), func(b *testing.B) {
			c := codec.coder()
			var packed [][]byte
			for off := 0; off < len(plain); off += defaultFrame {
				dst := make([]byte, c.bound(defaultFrame))
				packed = append(packed, dst[:c.pack(dst, plain[off:off+defaultFrame])])
			}
			dst := make([]byte, defaultFrame)
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range packed {
					if !c.unpack(dst, p) {
						b.Fatal("a frame does not come out even")
					}
				}
			}
		})
	}
}
