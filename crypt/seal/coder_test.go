package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"testing"
)

// squares is content that packs: text, 512 bytes long, twice.
func squares() []byte {
	var p []byte
	for i := 0; len(p) < 512; i++ {
		p = append(strconv.AppendInt(p, int64(i*i), 10), ' ')
	}
	return append(p[:512:512], p[:512]...)
}

// squaresPacked is squares as other programs than this one packed it: s2c
// -slower, and zstd 1.5.4 -19.
var squaresPacked = map[Codec]string{
	S2: "gAjwbzAgMSA0IDkgMTYgMjUgMzYgNDkgNjQgODEgMTAwIDEyMSAxNDQgMTY5IDE5NiAyMjUgMjU2IDI4OSAzMjQgMzYxIDQwMCA0NDEgNDg0" +
		"IDUyOSA1NzYgNjI1IDY3NiA3MjkgNzg0IDg0MSA5MDAgOTYBWDQyNCAxMDg5IDExNTYgMQFUGDEyOTYgMTMBZgA0AW8ANQF4ADYBgQA2AYoY" +
		"NzY0IDE4NAGEEDM2IDIwAYYAMQGyUDIwOSAyMzA0IDI0MDEgMjUwMCAyNgEKADcBFAA4AR4QOTE2IDMBMgwzMTM2AbUwOSAzMzY0IDM0ODEg" +
		"MwFkUDM3MjEgMzg0NCAzOTY5IDQwOTYgNAGWQDQzNTYgNDQ4OSA0NjI0IDQ3Ae4Bxxg1MDQxIDUxAfEAMwHyEDQ3NiA1AfQENTcBCjg5Mjkg" +
		"NjA4NCA2MjQxIDYhIUQ2NTYxIDY3MjQgNjg4OSA3MDUhHVwyNSA3Mzk2IDc1NjkgNzc0NCA3OTIxIDghexg4MjgxIDg0IYwkNjQ5IDg4MzYg" +
		"OQHIRDkyMTYgOTQwOSA5NjA0IDk4MCWsIS0EMDIFDAQ0MCFhCDYwOSFnEDE2IDExATgMMTEyMwEMADQhSAQxNiFTCDE4OFEAGQD0AA==",
	Zstd: "KLUv/WAAA50HAAYgOgmw6yShiHHOmEU0ADYANwA05GfAG8BJN8DN2rX6oqaiJ2iq+WKudbYDdJLckM9imngipuNHvOUMDsBpl75O8sTE784h" +
		"JNMql0S+hkxCeQJk4sUHFhcqJlAMMDGhcUHig4iJjCcgJjl+NV4qTiMOQJwxvC0/Ek4XfCJ4T0RNA/WZ0Y2iSUMDlGaDrgF9cTNVzRM0U3W+" +
		"kLnGmYUZ4DqpeoP6WTuN9InodNCPTm5NZpQMEGbkJSK/lpwkyCeAnGjADwh4ocAJARwAgBPsLtB90JsY9wTcJGZfyS7VpoUNQJtxdVv10dR0" +
		"UgEBAAD6B6giDQ==",
}

func packedSquares(t testing.TB, c Codec) []byte {
	t.Helper()
	p, err := base64.StdEncoding.DecodeString(squaresPacked[c])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUnpackWhatOthersPacked(t *testing.T) {
	want := squares()
	for codec := range squaresPacked {
		t.Run(codec.String(), func(t *testing.T) {
			got := make([]byte, len(want))
			if !codec.coder().unpack(got, packedSquares(t, codec)) || !bytes.Equal(got, want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestUnpackWantsTheLengthSaid(t *testing.T) {
	for _, codec := range allCodecs[1:] {
		c := codec.coder()
		for _, n := range []int{2, 100, testFrame, maxFrameSize} {
			plain := text(n)
			packed := make([]byte, c.bound(n))
			packed = packed[:c.pack(packed, plain)]
			if codec == LZ4 && len(packed) == n {
				continue // it does not fit, and is not there
			}
			for said, want := range map[int]bool{n - 1: false, n: true, n + 1: false} {
				if got := c.unpack(make([]byte, said), packed); got != want {
					t.Errorf("%v: %d bytes unpacked as %d: got %v, want %v", codec, n, said, got, want)
				}
			}
		}
	}
}

// TestUnpackTakesNoMoreThanSaid: content that claims, or would come to, 1 GiB.
func TestUnpackTakesNoMoreThanSaid(t *testing.T) {
	zstdMagic := []byte{0x28, 0xb5, 0x2f, 0xfd}
	tests := []struct {
		name   string
		codec  Codec
		packed []byte
	}{
		{"S2 block", S2, append(binary.AppendUvarint(nil, 1<<30), 0, 'a')},
		{"Zstandard frame with its size", Zstd,
			append(binary.LittleEndian.AppendUint64(append(zstdMagic, 0xe0), 1<<30), 0x03, 0, 0x80, 'a')},
		{"Zstandard frame without its size", Zstd,
			append(append(zstdMagic, 0x00, 0x50), bytes.Repeat([]byte{0x02, 0, 0x10, 'a'}, 8192)...)},
		{"Zstandard frame with a window of 1 GiB", Zstd, append(zstdMagic, 0x00, 0xa0, 0x03, 0, 0x10, 'a')},
		{"Zstandard frames", Zstd,
			bytes.Repeat(append(zstdMagic, 0xa0, 0, 0, 2, 0, 0x03, 0, 0x10, 'a'), 8192)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := make([]byte, defaultFrame)
			opened := true
			got := allocated(func() { opened = tt.codec.coder().unpack(dst, tt.packed) })
			if opened {
				t.Error("it unpacks")
			}
			if got > 2*maxFrameSize {
				t.Errorf("%d bytes were allocated", got)
			}
		})
	}
}

func TestPackAllocatesNothing(t *testing.T) {
	for _, codec := range allCodecs[1:] {
		c := codec.coder()
		for name, plain := range map[string][]byte{"text": text(defaultFrame), "noise": noise(defaultFrame)} {
			dst := make([]byte, c.bound(len(plain)))
			c.pack(dst, plain)
			if got := testing.AllocsPerRun(5, func() { c.pack(dst, plain) }); got > 1 {
				t.Errorf("%v: %s: %v allocations", codec, name, got)
			}
		}
	}
}

// FuzzUnpack: whatever an authentic frame holds, it fills the plaintext or is
// refused.
func FuzzUnpack(f *testing.F) {
	for codec := range squaresPacked {
		f.Add(uint8(codec), packedSquares(f, codec), uint16(testFrame))
	}
	f.Add(uint8(LZ4), []byte{0x1f, 0, 1, 0, 10, 0x50, 0, 0, 0, 0, 0}, uint16(35))
	coders := map[Codec]coder{}
	for _, codec := range allCodecs[1:] {
		coders[codec] = codec.coder()
	}
	f.Fuzz(func(t *testing.T, codec uint8, packed []byte, n uint16) {
		c := coders[allCodecs[1:][codec%3]]
		room := bytes.Repeat([]byte{0xa5}, int(n)+64)
		c.unpack(room[:n], packed)
		if !bytes.Equal(room[n:], bytes.Repeat([]byte{0xa5}, 64)) {
			t.Error("it writes behind the plaintext")
		}
	})
}
