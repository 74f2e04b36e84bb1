package keystream

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"testing"
)

// FIPS 197, appendix A: the last round key of an expansion.
func TestExpand(t *testing.T) {
	tests := []struct{ name, key, last string }{
		{"AES-128", "2b7e151628aed2a6abf7158809cf4f3c", "d014f9a8c9ee2589e13f0cc8b6630ca6"},
		{"AES-256", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "fe4890d1e6188d0b046df344706c631e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := hex.DecodeString(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			var s schedule
			s.expand(key)
			var last []byte
			for _, w := range s[len(s)-4:] {
				last = binary.LittleEndian.AppendUint32(last, w)
			}
			if got := hex.EncodeToString(last); got != tt.last {
				t.Errorf("got last round key %s, want %s", got, tt.last)
			}
		})
	}
}

// FIPS 197, section 5.1.1: the S-box is one of all bytes, without fixed
// points; {00} and the example {53} give {63} and {ed}.
func TestSubBytes(t *testing.T) {
	var seen [256]bool
	for x := range uint32(256) {
		y := subBytes(x * lowBits)
		if y != y&0xFF*lowBits {
			t.Fatalf("%02x: the bytes of a word differ: %08x", x, y)
		}
		if y&0xFF == x || seen[y&0xFF] {
			t.Errorf("%02x: got %02x, which is a fixed point or a second time", x, y&0xFF)
		}
		seen[y&0xFF] = true
	}
	if got, want := subBytes(0x53005300), uint32(0xED63ED63); got != want {
		t.Errorf("got %08x, want %08x", got, want)
	}
	if a, b := subBytes(0x01020304), subBytes(bits.ReverseBytes32(0x01020304)); a != bits.ReverseBytes32(b) {
		t.Errorf("bytes are not apart: %08x and %08x", a, b)
	}
}
