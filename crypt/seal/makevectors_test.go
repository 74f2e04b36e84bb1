package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"walarchive/crypt"
)

// makeVectors is the list of vectors. What is not ok is made from base, an
// object that is: by changing its bytes, or by forging it with its key.
func makeVectors(t testing.TB) []vector {
	m := newVectorMaker(t)
	o := m.options
	with := func(edit func(o *Options)) Options {
		o := o
		edit(&o)
		return o
	}
	f, spare := m.frames, m.spare
	all, two := 3*testFrame+5, 2*testFrame
	return slices.Concat([]vector{
		m.base, m.other,
		m.good("ok-empty", "no content: no data frame", o),
		m.good("ok-one-byte", "one byte", o, fill([]byte{0}, 1)),
		m.good("ok-none", "codec none, the last frame full",
			with(func(o *Options) { o.Codec = None }), fill([]byte("0123456789abcdef"), 3*testFrame)),
		m.good("ok-wraps", "two wraps, one of a kind that package crypt does not open",
			with(func(o *Options) {
				o.Wraps = append(o.Wraps, crypt.Wrap{Kind: "transit", Provider: "vault", Key: "wal", Box: []byte("vault:v1:opaque")})
			}), fill([]byte("wal"), 100)),
		m.good("ok-large-frames", "frames of 1 MiB, two leaves of the digest",
			with(func(o *Options) { o.FrameSize = maxFrameSize }), fill([]byte("0123456789abcdef"), maxFrameSize+17)),

		m.changed("version-2", "version byte 2", "version", 0, func(v *vector) { v.Sealed[7] = 2 }),
		m.headed("version-suite-2", "suite of a newer version", "version", `"suite":1`, `"suite":2`),
		m.headed("version-codec-xz", "codec of a newer version", "version", `"codec":"lz4"`, `"codec":"xz"`),
		m.headed("version-codec-zstd", "codec zstd, which once was of a newer version, with lz4 frames", "corrupt", `"codec":"lz4"`, `"codec":"zstd"`),

		m.changed("misplaced-name", "asked for under another name", "misplaced", 0, func(v *vector) { v.Name += ".partial" }),
		m.changed("misplaced-kind", "asked for as another kind", "misplaced", 0, func(v *vector) { v.Kind = "backup" }),
		m.changed("misplaced-archive", "asked for in another archive", "misplaced", 0, func(v *vector) { v.Archive[15] ^= 1 }),

		m.changed("corrupt-key", "the key of another epoch", "corrupt", 0, func(v *vector) { v.SealKey = hex.EncodeToString(testKey(t, 0x5f).Bytes()) }),
		m.changed("corrupt-moved", "stored under another name, which was written into its header", "corrupt", 0, func(v *vector) {
			v.Sealed = bytes.Replace(v.Sealed, []byte(`000001",`), []byte(`000002",`), 1)
			v.Name = v.Name[:len(v.Name)-1] + "2"
		}),
		m.changed("corrupt-facts", "one bit of the facts frame's ciphertext", "corrupt", 0, func(v *vector) { v.Sealed[len(m.head)+frameHeadSize] ^= 1 }),
		m.changed("corrupt-tag", "one bit of the third data frame's tag", "corrupt", two, func(v *vector) { v.Sealed[len(join(m.head, f[:4]...))-1] ^= 0x80 }),
		m.changed("corrupt-frame-codec", "the first data frame called raw", "corrupt", 0, func(v *vector) { v.Sealed[len(join(m.head, f[0]))+10] = byte(None) }),
		m.changed("corrupt-cut", "the last byte missing", "corrupt", all, func(v *vector) { v.Sealed = v.Sealed[:len(v.Sealed)-1] }),
		m.changed("corrupt-behind", "a zero byte behind the end", "corrupt", all, func(v *vector) { v.Sealed = append(v.Sealed, 0) }),
		m.reframed("corrupt-no-end", "no final frame", all, f[:5]...),
		m.reframed("corrupt-dropped", "the last data frame dropped", 3*testFrame, f[0], f[1], f[2], f[3], f[5]),
		m.reframed("corrupt-repeated", "the first data frame twice", testFrame, f[0], f[1], f[1], f[2], f[3], f[4], f[5]),
		m.reframed("corrupt-swapped", "two data frames changed over", 0, f[0], f[2], f[1], f[3], f[4], f[5]),
		m.reframed("corrupt-spliced", "the second data frame of ok-other-salt", testFrame, f[0], f[1], spare[2], f[3], f[4], f[5]),
	}, m.forgedVectors(), m.packedVectors())
}

// forgedVectors verify: a reader must refuse them for what they are.
func (m *vectorMaker) forgedVectors() []vector {
	const all = 3*testFrame + 5
	zeros := []byte{0x1f, 0, 1, 0, 10, 0x50, 0, 0, 0, 0, 0} // an LZ4 block of 35 zeros
	return []vector{
		m.headed("forged-header-repeated-key", "a key twice", "corrupt", `"suite":1`, `"suite":1,"suite":1`),
		m.headed("forged-header-folded-key", "a key in upper case", "corrupt", `"suite":1`, `"SUITE":1`),
		m.headed("forged-header-unknown-key", "a key that no header has", "corrupt", `"suite":1`, `"suite":1,"next":1`),
		m.headed("forged-header-order", "two keys changed over", "corrupt", `"suite":1,"codec":"lz4"`, `"codec":"lz4","suite":1`),
		m.headed("forged-header-escape", "an escape where none is needed", "corrupt", `"segment"`, `"segmen\u0074"`),
		m.headed("forged-header-space", "white space", "corrupt", `"suite":1`, `"suite": 1`),
		m.headed("forged-header-address", "an address as the name of a provider", "corrupt", `"provider":"local"`, `"provider":"http://kms"`),
		m.headed("forged-header-frame-size", "a frame size that is no power of two", "corrupt", `"frame_size":1024`, `"frame_size":1028`),
		m.forged("forged-no-facts", "a data frame in the place of the facts", 0, func(f []forged) []forged {
			return append([]forged{raw(0, dataFrame, []byte("data"))}, f[1:]...)
		}),
		m.forged("forged-short-frame", "a frame that is not full between others", 1, func(f []forged) []forged {
			f[1] = raw(1, dataFrame, []byte("0"))
			return f
		}),
		m.forged("forged-empty-frame", "an empty data frame", 0, func(f []forged) []forged {
			f[1] = raw(1, dataFrame, nil)
			return f
		}),
		m.forged("forged-large-frame", "a frame larger than the frame size", 0, func(f []forged) []forged {
			f[1] = raw(1, dataFrame, text(testFrame+1))
			return f
		}),
		m.forged("forged-block", "an LZ4 block that holds one byte less than it should", 0, func(f []forged) []forged {
			f[1] = forged{head: frameHead{1, dataFrame, LZ4, 36, len(zeros)}, payload: zeros}
			return f
		}),
		m.forged("forged-block-not-smaller", "an LZ4 block that is no smaller than its content", 0, func(f []forged) []forged {
			f[1] = forged{head: frameHead{1, dataFrame, LZ4, 5, 6}, payload: []byte("\x5001234")}
			return f
		}),
		m.forged("forged-totals-plain", "totals with a byte of plaintext too many", all, func(f []forged) []forged {
			f[len(f)-1].payload[15]++
			return f
		}),
		m.forged("forged-totals-sealed", "totals with a byte of object too many", all, func(f []forged) []forged {
			f[len(f)-1].payload[23]++
			return f
		}),
		m.forged("forged-two-ends", "a second final frame", all, func(f []forged) []forged {
			return append(f, raw(6, finalFrame, f[5].payload))
		}),
		m.forged("forged-reserved", "the zero byte of a frame not zero", 0, func(f []forged) []forged {
			f[1].edit = func(head []byte) { head[11] = 1 }
			return f
		}),
	}
}

// packedVectors hold what other programs packed, so that they do not depend on
// the libraries that pack for us.
func (m *vectorMaker) packedVectors() []vector {
	s2, zstd := packedSquares(m, S2), packedSquares(m, Zstd)
	return []vector{
		m.packed("ok-s2", "an S2 block, and a raw frame", "ok", S2, S2, testFrame, s2),
		m.packed("ok-zstd", "a Zstandard frame, and a raw frame", "ok", Zstd, Zstd, testFrame, zstd),
		m.packed("forged-s2", "an S2 block that holds one byte more than it should", "corrupt", S2, S2, testFrame-1, s2),
		m.packed("forged-zstd", "a Zstandard frame that holds one byte more than it should", "corrupt", Zstd, Zstd, testFrame-1, zstd),
		m.packed("forged-zstd-called-s2", "a Zstandard frame as an S2 block", "corrupt", S2, S2, testFrame, zstd),
		m.packed("forged-zstd-in-s2", "a Zstandard frame in an object of S2 blocks", "corrupt", S2, Zstd, testFrame, zstd),
	}
}

// packed is an object of codec whose first data frame holds block, said to be
// plain bytes packed by another codec; a raw one of 3 bytes follows a full one.
func (m *vectorMaker) packed(name, about, expect string, codec, frame Codec, plain int, block []byte) vector {
	m.Helper()
	o := m.options
	o.Codec, o.Rand = codec, bytes.NewReader(bytes.Repeat([]byte{0x51}, saltSize))
	h, err := o.header()
	if err != nil {
		m.Fatal(err)
	}
	head, err := h.encode()
	if err != nil {
		m.Fatal(err)
	}
	frames := []forged{raw(0, factsFrame, m.facts), {head: frameHead{1, dataFrame, frame, plain, len(block)}, payload: block}}
	if plain == testFrame {
		frames = append(frames, raw(2, dataFrame, []byte("end")))
	}
	content := append(squares()[:plain], "end"...)
	totals := Totals{Frames: uint64(len(frames) - 1), Plain: uint64(len(content)), Digest: crypt.DigestBytes(content)}
	totals.Sealed = uint64(len(forgeBehind(m, m.key, h, head, frames...)) + TailSize)
	frames = append(frames, raw(uint64(len(frames)), finalFrame, totals.encode()))

	v := m.base
	v.name, v.About, v.Expect, v.Released = name+".json", about, expect, 0
	v.Plain = []filler{fill(content, len(content))}
	v.Sealed = forgeBehind(m, m.key, h, head, frames...)
	if expect == "ok" {
		v.Released = len(content)
	}
	return v
}

// vectorMaker holds what vectors are made of.
type vectorMaker struct {
	testing.TB
	key     crypt.Key
	facts   []byte
	options Options
	base    vector // two packed frames, a raw one, a short one
	other   vector // base with another salt
	head    []byte // of base
	frames  [][]byte
	spare   [][]byte // frames of other
}

func newVectorMaker(t testing.TB) *vectorMaker {
	m := &vectorMaker{TB: t, key: testKey(t, 0x5e), facts: []byte(`{"facts":"of a vector"}`), options: vectorOptions(t)}
	plain := []filler{fill([]byte("0123456789abcdef"), 2*testFrame), fill(noise(testFrame+5), testFrame+5)}
	m.base = m.good("ok-lz4", "two packed frames, a raw one, a short one", m.options, plain...)
	m.head, m.frames = split(t, m.base.Sealed)
	m.other = m.goodSalted(2, "ok-other-salt", "ok-lz4 with another salt", m.options, plain...)
	_, m.spare = split(t, m.other.Sealed)
	return m
}

func (m *vectorMaker) good(name, about string, o Options, plain ...filler) vector {
	m.Helper()
	return m.goodSalted(1, name, about, o, plain...)
}

func (m *vectorMaker) goodSalted(salt byte, name, about string, o Options, plain ...filler) vector {
	m.Helper()
	o.Rand = bytes.NewReader(bytes.Repeat([]byte{0x50 + salt}, saltSize))
	v := vector{
		name: name + ".json", About: about, Expect: "ok",
		Kind: o.Kind, Name: o.Name, Archive: o.Archive, SealKey: hex.EncodeToString(m.key.Bytes()),
		Facts: hex.EncodeToString(m.facts), Plain: plain,
	}
	content := v.plain(m)
	v.Released = len(content)
	var err error
	if v.Sealed, err = Seal(nil, content, m.key, m.facts, o); err != nil {
		m.Fatal(err)
	}
	return v
}

// changed is base after edit.
func (m *vectorMaker) changed(name, about, expect string, released int, edit func(v *vector)) vector {
	v := m.base
	v.name, v.About, v.Expect, v.Released = name+".json", about, expect, released
	v.Sealed = bytes.Clone(v.Sealed)
	edit(&v)
	return v
}

// reframed has base's header and these frames.
func (m *vectorMaker) reframed(name, about string, released int, frames ...[]byte) vector {
	return m.changed(name, about, "corrupt", released, func(v *vector) { v.Sealed = join(m.head, frames...) })
}

// headed has a changed header, for which its frames verify.
func (m *vectorMaker) headed(name, about, expect, old, new string) vector {
	m.Helper()
	h, head, frames := unforge(m, m.key, m.base.Sealed)
	text := bytes.Replace(head[preambleSize:], []byte(old), []byte(new), 1)
	if bytes.Equal(text, head[preambleSize:]) {
		m.Fatalf("%s: nothing changed", name)
	}
	end := parseTotals(frames[len(frames)-1].payload)
	end.Sealed += uint64(len(text) + preambleSize - len(head))
	frames[len(frames)-1].payload = end.encode()
	return m.changed(name, about, expect, 0, func(v *vector) {
		v.Sealed = forgeBehind(m, m.key, h, withPreamble(string(text)), frames...)
	})
}

// forged has base's frames after edit, made to verify.
func (m *vectorMaker) forged(name, about string, released int, edit func(frames []forged) []forged) vector {
	m.Helper()
	h, head, frames := unforge(m, m.key, m.base.Sealed)
	return m.changed(name, about, "corrupt", released, func(v *vector) {
		v.Sealed = forgeBehind(m, m.key, h, head, edit(frames)...)
	})
}

// vectorOptions are those of a segment whose wrap is the first of wrap.json.
func vectorOptions(t testing.TB) Options {
	t.Helper()
	text, err := os.ReadFile("../../fixtures/seal/wrap.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Archive, Epoch crypt.ID
			Wrap           crypt.Wrap
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	first := file.Vectors[0]
	return Options{
		Kind: "segment", Name: "wal/1/00000001/00000000/000000010000000000000001",
		Archive: first.Archive, Epoch: first.Epoch, Wraps: []crypt.Wrap{first.Wrap},
		Codec: LZ4, FrameSize: testFrame,
	}
}
