package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// headerText is the JSON of a header that is all right.
func headerText(t testing.TB) string {
	t.Helper()
	o := testOptions(LZ4, testFrame)
	h, err := o.header()
	if err != nil {
		t.Fatal(err)
	}
	p, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// withPreamble puts magic, version and length before a header.
func withPreamble(header string) []byte {
	p := append([]byte(magic), version)
	p = binary.BigEndian.AppendUint32(p, uint32(len(header)))
	return append(p, header...)
}

func TestReadHeader(t *testing.T) {
	o := testOptions(LZ4, testFrame)
	sealed := mustSeal(t, text(10), o)
	r := bytes.NewReader(sealed)
	h, err := ReadHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	want := mustOpen(t, bytes.NewReader(sealed), o).Header()
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %+v, want %+v", h, want)
	}
	head, _ := split(t, sealed)
	if read := len(sealed) - r.Len(); read != len(head) {
		t.Errorf("%d bytes were read, the header ends at %d", read, len(head))
	}
}

// TestHeaderIsStrict changes the text of a good header.
func TestHeaderIsStrict(t *testing.T) {
	good := headerText(t)
	if _, err := ReadHeader(bytes.NewReader(withPreamble(good))); err != nil {
		t.Fatalf("the header as it is: %v", err)
	}
	for _, test := range []struct {
		name, old, new string
		want           error
	}{
		{"unknown key", `"suite":1`, `"suite":1,"extra":1`, ErrCorrupt},
		{"unknown key in a wrap", `"kind":"local"`, `"kind":"local","extra":1`, ErrCorrupt},
		{"repeated key", `"suite":1`, `"suite":1,"suite":1`, ErrCorrupt},
		{"repeated key with another value", `"suite":1`, `"suite":2,"suite":1`, ErrCorrupt},
		{"repeated key in a wrap", `"kind":"local"`, `"kind":"local","kind":"local"`, ErrCorrupt},
		{"case-folded key", `"suite":1`, `"Suite":1`, ErrCorrupt},
		{"case-folded beside the right key", `"suite":1`, `"suite":1,"SUITE":1`, ErrCorrupt},
		{"key with an escape", `"suite":1`, `"suit\u0065":1`, ErrCorrupt},
		{"Kelvin sign for k", `"kind":"segment"`, `"\u212aind":"segment"`, ErrCorrupt},
		{"value with an escape", `"segment"`, `"segmen\u0074"`, ErrCorrupt},
		{"missing key", `"suite":1,`, ``, ErrCorrupt},
		{"missing kind", `"kind":"segment",`, ``, ErrCorrupt},
		{"other order", `"suite":1,"codec":"lz4"`, `"codec":"lz4","suite":1`, ErrCorrupt},
		{"space", `"suite":1`, `"suite": 1`, ErrCorrupt},
		{"newline at the end", `"}` + "\x00", `"}` + "\n", ErrCorrupt},
		{"second value", `"}` + "\x00", `"}{}`, ErrCorrupt},
		{"rubbish at the end", `"}` + "\x00", `"}x`, ErrCorrupt},
		{"cut", `"}` + "\x00", `"`, ErrCorrupt},
		{"null for a string", `"kind":"segment"`, `"kind":null`, ErrCorrupt},
		{"number for a string", `"kind":"segment"`, `"kind":1`, ErrCorrupt},
		{"string for a number", `"suite":1`, `"suite":"1"`, ErrCorrupt},
		{"number with exponent", `"suite":1`, `"suite":1e0`, ErrCorrupt},
		{"number with fraction", `"suite":1`, `"suite":1.0`, ErrCorrupt},
		{"number too large", `"frame_size":1024`, `"frame_size":99999999999999999999`, ErrCorrupt},
		{"object for an array", `"wraps":[`, `"wraps":{"a":`, ErrCorrupt},
		{"no wraps", good[strings.Index(good, `"wraps":[`) : strings.Index(good, `],"suite"`)+1], `"wraps":[]`, ErrCorrupt},
		{"null wraps", good[strings.Index(good, `"wraps":[`) : strings.Index(good, `],"suite"`)+1], `"wraps":null`, ErrCorrupt},
		{"id in upper case", `"archive":"a1`, `"archive":"A1`, ErrCorrupt},
		{"id too short", `"archive":"a1`, `"archive":"a`, ErrCorrupt},
		{"salt with a newline", `"salt":"`, `"salt":"\n`, ErrCorrupt},
		{"salt too short", `"}` + "\x00", `", "salt":"AAAA"}`, ErrCorrupt},
		{"name with an escape", `"name":"wal/`, `"name":"wal\/`, ErrCorrupt},
		{"name that climbs", `"name":"wal/`, `"name":"../`, ErrCorrupt},
		{"address as provider", `"provider":"local"`, `"provider":"http://keys"`, ErrCorrupt},
		{"frame size 0", `"frame_size":1024`, `"frame_size":0`, ErrCorrupt},
		{"frame size of 4 GiB", `"frame_size":1024`, `"frame_size":4294967296`, ErrCorrupt},
		{"frame size below zero", `"frame_size":1024`, `"frame_size":-1024`, ErrCorrupt},
		{"suite 0", `"suite":1`, `"suite":0`, ErrCorrupt},
		{"suite 2", `"suite":1`, `"suite":2`, ErrVersion},
		{"codec of a newer version", `"codec":"lz4"`, `"codec":"xz"`, ErrVersion},
		{"codec in upper case", `"codec":"lz4"`, `"codec":"LZ4"`, ErrVersion},
		{"array", good, `[]`, ErrCorrupt},
		{"null", good, `null`, ErrCorrupt},
		{"number", good, `1`, ErrCorrupt},
		{"not JSON", good, `kind: segment`, ErrCorrupt},
		{"zeros", good, strings.Repeat("\x00", len(good)), ErrCorrupt},
		{"deep nesting", good, strings.Repeat("[", maxHeader), ErrCorrupt},
	} {
		changed := strings.TrimSuffix(strings.Replace(good+"\x00", test.old, test.new, 1), "\x00")
		if changed == good {
			t.Errorf("%s: the test changes nothing", test.name)
		}
		if _, err := ReadHeader(bytes.NewReader(withPreamble(changed))); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestPreambleIsStrict(t *testing.T) {
	good := withPreamble(headerText(t))
	long := withPreamble(headerText(t) + strings.Repeat(" ", maxHeader))
	for _, test := range []struct {
		name string
		p    []byte
		want error
	}{
		{"empty", nil, ErrCorrupt},
		{"other magic", append([]byte("WALSEAM\x01"), good[8:]...), ErrCorrupt},
		{"version 0", append([]byte("WALSEAL\x00"), good[8:]...), ErrVersion},
		{"version 2", append([]byte("WALSEAL\x02"), good[8:]...), ErrVersion},
		{"header of no bytes", append([]byte("WALSEAL\x01\x00\x00\x00\x00"), good[12:]...), ErrCorrupt},
		{"header of 4 GiB", append([]byte("WALSEAL\x01\xff\xff\xff\xff"), good[12:]...), ErrCorrupt},
		{"header too large", long, ErrCorrupt},
		{"length one too small", append([]byte("WALSEAL\x01\x00\x00\x00"+string(good[11]-1)), good[12:]...), ErrCorrupt},
	} {
		if _, err := ReadHeader(bytes.NewReader(test.p)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
}

func TestCodecPrintsAndParses(t *testing.T) {
	for _, c := range allCodecs {
		if got, err := ParseCodec(c.String()); got != c || err != nil {
			t.Errorf("ParseCodec(%v) = %v, %v", c, got, err)
		}
	}
	for _, s := range []string{"", "NONE", "codec(0)", "codec(5)", "xz"} {
		if c, err := ParseCodec(s); !errors.Is(err, ErrVersion) {
			t.Errorf("ParseCodec(%q) = %v, %v", s, c, err)
		}
	}
}
