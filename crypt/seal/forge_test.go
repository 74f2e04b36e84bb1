package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"walarchive/crypt"
)

// forged is a frame that verifies although no writer makes it.
type forged struct {
	head    frameHead
	payload []byte            // encrypted as it is
	edit    func(head []byte) // changes the encoded head before the tag is made
}

// forge makes an object of any frames, authentic under testKey 7. It stands
// for a faulty writer, or for one that holds the key and means harm.
func forge(t testing.TB, o Options, frames ...forged) []byte {
	t.Helper()
	h, err := o.header()
	if err != nil {
		t.Fatal(err)
	}
	head, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	return forgeBehind(t, testKey(t, 7), h, head, frames...)
}

// forgeBehind puts frames behind head, which need not be what h encodes to.
func forgeBehind(t testing.TB, key crypt.Key, h *Header, head []byte, frames ...forged) []byte {
	t.Helper()
	s, err := newSuite(key, h, head)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(head)
	for _, f := range frames {
		n := len(f.payload)
		p := make([]byte, frameHeadSize+n, frameOverhead+n)
		f.head.put(p)
		if f.edit != nil {
			f.edit(p[:frameHeadSize])
		}
		s.crypt(p[frameHeadSize:], f.payload, f.head.number)
		out = append(out, s.tag(s.newMAC(), p)...)
	}
	return out
}

// unforge takes a good object apart, so that its frames can be forged again.
func unforge(t testing.TB, key crypt.Key, sealed []byte) (h *Header, head []byte, frames []forged) {
	t.Helper()
	h, head, err := readHeader(bytes.NewReader(sealed))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSuite(key, h, head)
	if err != nil {
		t.Fatal(err)
	}
	_, parts := split(t, sealed)
	for _, p := range parts {
		f, err := parseFrameHead(p, h)
		if err != nil || !s.verify(s.newMAC(), p) {
			t.Fatalf("frame %d: %v", f.number, err)
		}
		payload := make([]byte, f.cipher)
		s.crypt(payload, p[frameHeadSize:frameHeadSize+f.cipher], f.number)
		frames = append(frames, forged{head: f, payload: payload})
	}
	return h, head, frames
}

// raw is a frame that a writer could make.
func raw(number uint64, kind frameType, payload []byte) forged {
	return forged{head: frameHead{number, kind, None, len(payload), len(payload)}, payload: payload}
}

// ending is the final frame of an object with these frames before it.
func ending(t testing.TB, o Options, frames ...forged) forged {
	t.Helper()
	var totals Totals
	for _, f := range frames {
		if f.head.kind == dataFrame {
			totals.Frames++
			totals.Plain += uint64(f.head.plain)
		}
	}
	o.Rand = rand.Reader
	totals.Sealed = uint64(len(forge(t, o, frames...)) + TailSize)
	return raw(uint64(len(frames)), finalFrame, totals.encode())
}

func TestAuthenticNonsenseIsRefused(t *testing.T) {
	full := func(n uint64) forged { return raw(n, dataFrame, text(testFrame)) }
	facts, short := raw(0, factsFrame, testFacts), func(n uint64) forged { return raw(n, dataFrame, []byte("short")) }
	packed := func(plain int, block []byte) forged {
		return forged{head: frameHead{1, dataFrame, LZ4, plain, len(block)}, payload: block}
	}
	edited := func(f forged, at int, value byte) forged {
		f.edit = func(head []byte) { head[at] = value }
		return f
	}
	goodBlock := []byte{0x1f, 0, 1, 0, 10, 0x50, 0, 0, 0, 0, 0} // 35 zeros
	for _, test := range []struct {
		name   string
		frames []forged // an ending that agrees with them follows
		ok     bool
	}{
		{"nothing wrong", []forged{facts, full(1), full(2), short(3)}, true},
		{"no data", []forged{facts}, true},
		{"LZ4 block", []forged{facts, packed(35, goodBlock)}, true},
		{"no facts", []forged{raw(0, dataFrame, testFacts)}, false},
		{"facts twice", []forged{facts, raw(1, factsFrame, testFacts)}, false},
		{"facts at the end", []forged{facts, full(1), raw(2, factsFrame, testFacts)}, false},
		{"facts too large", []forged{raw(0, factsFrame, make([]byte, maxFacts+1))}, false},
		{"final frame first", []forged{raw(0, finalFrame, make([]byte, totalsSize))}, false},
		{"final frame twice", []forged{facts, ending(t, testOptions(LZ4, testFrame), facts)}, false},
		{"data behind a short frame", []forged{facts, short(1), full(2)}, false},
		{"empty data frame", []forged{facts, raw(1, dataFrame, nil)}, false},
		{"empty data frame behind data", []forged{facts, full(1), raw(2, dataFrame, nil)}, false},
		{"frame larger than frame size", []forged{facts, raw(1, dataFrame, text(testFrame+1))}, false},
		{"number left out", []forged{facts, full(2)}, false},
		{"number repeated", []forged{facts, full(1), full(1)}, false},
		{"facts with number 1", []forged{raw(1, factsFrame, testFacts)}, false},
		{"huge number", []forged{facts, full(1 << 63)}, false},
		{"unknown type", []forged{facts, raw(1, 3, []byte("short"))}, false},
		{"final flag on data", []forged{facts, edited(short(1), 9, 1)}, false},
		{"final flag on facts", []forged{edited(facts, 9, 1)}, false},
		{"flag 2", []forged{facts, edited(short(1), 9, 2)}, false},
		{"reserved byte", []forged{facts, edited(short(1), 11, 1)}, false},
		{"codec 0", []forged{facts, edited(short(1), 10, 0)}, false},
		{"codec 3", []forged{facts, edited(short(1), 10, 3)}, false},
		{"packed facts", []forged{{head: frameHead{0, factsFrame, LZ4, 35, len(goodBlock)}, payload: goodBlock}}, false},
		{"raw frame with other plain length", []forged{facts, {head: frameHead{1, dataFrame, None, 4, 5}, payload: []byte("short")}}, false},
		{"block not smaller", []forged{facts, packed(5, []byte("\x50short"))}, false},
		{"block of another length", []forged{facts, packed(36, goodBlock)}, false},
		{"block longer than said", []forged{facts, packed(34, goodBlock)}, false},
		{"block cut", []forged{facts, packed(35, goodBlock[:8])}, false},
		{"block of nonsense", []forged{facts, packed(35, []byte("nonsense"))}, false},
		{"empty block", []forged{facts, packed(35, nil)}, false},
		{"block that looks before its start", []forged{facts, packed(35, []byte{0x1f, 0, 9, 0, 10, 0x50, 0, 0, 0, 0, 0})}, false},
	} {
		o := testOptions(LZ4, testFrame)
		sealed := forge(t, o, append(test.frames, ending(t, o, test.frames...))...)
		mustBehave(t, test.name, sealed, o, test.ok)
	}
}

func TestWrongTotalsAreRefused(t *testing.T) {
	facts, data := raw(0, factsFrame, testFacts), raw(1, dataFrame, []byte("short"))
	o := testOptions(LZ4, testFrame)
	good := ending(t, o, facts, data)
	for _, test := range []struct {
		name string
		edit func(f *forged)
		ok   bool
	}{
		{"nothing wrong", func(*forged) {}, true},
		{"another digest", func(f *forged) { f.payload[24] ^= 1 }, true},
		{"one frame more", func(f *forged) { f.payload[7]++ }, false},
		{"one byte of plaintext more", func(f *forged) { f.payload[15]++ }, false},
		{"one byte sealed more", func(f *forged) { f.payload[23]++ }, false},
		{"one byte longer", func(f *forged) { *f = raw(2, finalFrame, append(f.payload, 0)) }, false},
		{"one byte shorter", func(f *forged) { *f = raw(2, finalFrame, f.payload[1:]) }, false},
		{"empty", func(f *forged) { *f = raw(2, finalFrame, nil) }, false},
		{"no final flag", func(f *forged) { f.edit = func(head []byte) { head[9] = 0 } }, false},
		{"another number", func(f *forged) { f.head.number = 3 }, false},
	} {
		end := good
		end.payload = bytes.Clone(good.payload)
		test.edit(&end)
		o := testOptions(LZ4, testFrame)
		mustBehave(t, test.name, forge(t, o, facts, data, end), o, test.ok)
	}
}

func TestPackedFrameInObjectWithoutCodec(t *testing.T) {
	o := testOptions(None, testFrame)
	block := []byte{0x1f, 0, 1, 0, 10, 0x50, 0, 0, 0, 0, 0}
	frames := []forged{raw(0, factsFrame, nil), {head: frameHead{1, dataFrame, LZ4, 35, len(block)}, payload: block}}
	mustBehave(t, "packed frame", forge(t, o, append(frames, ending(t, testOptions(None, testFrame), frames...))...), o, false)
}

// mustBehave fails the test unless an object of forged frames opens, or is
// found corrupt.
func mustBehave(t testing.TB, name string, sealed []byte, o Options, ok bool) {
	t.Helper()
	r, err := open(t, bytes.NewReader(sealed), o)
	if err == nil {
		_, err = r.WriteTo(&bytes.Buffer{})
	}
	if ok && err != nil || !ok && !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: got %v", name, err)
	}
}
