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

// eachSetting runs bench with both codecs, on one core and on all.
func eachSetting(b *testing.B, bench func(b *testing.B, o Options)) {
	for _, codec := range []Codec{None, LZ4} {
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

// BenchmarkCompress is what sealing spends on LZ4 alone, frame by frame.
func BenchmarkCompress(b *testing.B) {
	plain, dst := recordedWAL(b, 16<<20), make([]byte, defaultFrame)
	var c compressor
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		for off := 0; off < len(plain); off += defaultFrame {
			c.compress(dst[:defaultFrame-1], plain[off:off+defaultFrame])
		}
	}
}
