package tde

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/fixtures"
)

// vectors are those of pg_tde.json that concern this package.
type vectors struct {
	Headers []struct {
		Name         string   `json:"name"`
		DatabaseID   int      `json:"database_id"`
		File         hexBytes `json:"file_header_320"`
		KeyringID    int32    `json:"keyring_id"`
		PrincipalKey hexBytes `json:"principal_key"`
		Seconds      int64    `json:"tv_sec"`
		Microseconds int      `json:"tv_usec"`
	} `json:"wal_keys_headers"`
	Entries []struct {
		Magic        hexBytes `json:"magic"`
		Entry        hexBytes `json:"entry"`
		BaseIV       hexBytes `json:"base_iv"`
		InternalKey  hexBytes `json:"internal_key"`
		PrincipalKey hexBytes `json:"principal_key"`
		RangeType    int      `json:"range_type"`
		StartLSN     wal.LSN  `json:"start_lsn"`
		StartTLI     int      `json:"start_tli"`
	} `json:"wal_keys_entries"`
	Keystream []struct {
		Why       string
		BaseIV    hexBytes `json:"base_iv"`
		Key       hexBytes
		Keystream hexBytes
		Offset    int64
		Prefix    hexBytes `json:"prefix12"`
		Segno     uint64
		TLI       uint32
	}
	Segments struct {
		PrincipalKey hexBytes `json:"principal_key"`
		Size         int64    `json:"segment_size"`
		WALKeys      hexBytes `json:"wal_keys"`
		Cases        []struct {
			Name         string
			Why          string
			Parts        string
			PlainSHA256  string   `json:"plain_sha256"`
			CipherSHA256 string   `json:"cipher_sha256"`
			First32      hexBytes `json:"cipher_first32"`
			At24560      hexBytes `json:"cipher_at_24560_32"`
			At41056      hexBytes `json:"cipher_at_41056_32"`
		}
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func (h hexBytes) key(t *testing.T) crypt.Key {
	t.Helper()
	k, err := crypt.NewKey(h)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := fixtures.Read("vectors/pg_tde.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Headers) != 4 || len(v.Entries) != 7 || len(v.Keystream) != 13 || len(v.Segments.Cases) != 5 {
		t.Fatal("vectors are missing")
	}
	return v
}

func TestVectorHeaders(t *testing.T) {
	for _, v := range readVectors(t).Headers {
		t.Run(fmt.Sprintf("version %d, %d bytes", v.File[3], len(v.PrincipalKey)), func(t *testing.T) {
			f, err := ParseKeyFile(v.File)
			if err != nil {
				t.Fatal(err)
			}
			h := f.Header
			if h.KeyName != v.Name || h.Provider != v.KeyringID || byte(h.Version) != v.File[3] {
				t.Errorf("got version %d, key %q, provider %d; want version %d, key %q, provider %d",
					h.Version, h.KeyName, h.Provider, v.File[3], v.Name, v.KeyringID)
			}
			if h.Set.Unix() != v.Seconds || h.Set.Nanosecond() != 1000*v.Microseconds {
				t.Errorf("got time %v, want %d s and %d us", h.Set, v.Seconds, v.Microseconds)
			}
			if !bytes.Equal(h.Signed(), v.File[8:]) {
				t.Error("the signed bytes are not bytes 8 to 319 of the file")
			}
			if err := h.Verify(v.PrincipalKey.key(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVectorEntries(t *testing.T) {
	header := readVectors(t).Headers[0].File
	for i, v := range readVectors(t).Entries {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			file := bytes.Clone(header)
			binary.BigEndian.PutUint32(file, binary.LittleEndian.Uint32(v.Magic)) // vectors give the value, not the bytes
			f, err := ParseKeyFile(append(file, v.Entry...))
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Entries) != 1 {
				t.Fatalf("got %d entries, want 1", len(f.Entries))
			}
			e := &f.Entries[0]
			start := wal.Location{Timeline: wal.Timeline(v.StartTLI), LSN: v.StartLSN}
			if int(e.Type) != v.RangeType || e.Start != start || !bytes.Equal(e.BaseIV[:], v.BaseIV) {
				t.Errorf("got %v at %v with base IV %x, want type %d at %v with %x", e.Type, e.Start, e.BaseIV, v.RangeType, start, v.BaseIV)
			}
			key, err := e.Unwrap(v.PrincipalKey.key(t))
			if err != nil || !bytes.Equal(key.Bytes(), v.InternalKey) {
				t.Errorf("unwrapped another key, or error %v", err)
			}
			if !bytes.Equal(e.Raw(), v.Entry) {
				t.Error("Raw is not the entry as it stands in the file")
			}
		})
	}
}

func TestVectorKeyStreams(t *testing.T) {
	for _, v := range readVectors(t).Keystream {
		t.Run(v.Why, func(t *testing.T) {
			prefix := streamPrefix([16]byte(v.BaseIV), wal.Timeline(v.TLI), wal.SegmentNo(v.Segno))
			if !bytes.Equal(prefix[:], v.Prefix) {
				t.Errorf("got prefix %x, want %x", prefix, v.Prefix)
			}
			s, err := newStream(v.Key.key(t), [16]byte(v.BaseIV), wal.Segment{Timeline: wal.Timeline(v.TLI), No: wal.SegmentNo(v.Segno), Size: 16 << 20})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(v.Keystream))
			s.XOR(got, v.Offset)
			if !bytes.Equal(got, v.Keystream) {
				t.Errorf("got %x, want %x", got, []byte(v.Keystream))
			}
		})
	}
}

func TestVectorSegments(t *testing.T) {
	v := readVectors(t).Segments
	f, err := ParseKeyFile(v.WALKeys)
	if err != nil {
		t.Fatal(err)
	}
	keys := NewKeys(&Dir{KeyFile: f, Providers: []Provider{{ID: -1, Type: FileProvider}}}, fetchKey(v.PrincipalKey.key(t)))
	for _, c := range v.Cases {
		t.Run(c.Why, func(t *testing.T) {
			seg, err := wal.ParseSegment(c.Name, v.Size)
			if err != nil {
				t.Fatal(err)
			}
			cipher, err := keys.Cipher(t.Context(), seg)
			if err != nil {
				t.Fatal(err)
			}
			p := vectorPlaintext(v.Size)
			wantSum(t, "plaintext", p, c.PlainSHA256)
			cipher.XOR(p, 0)
			wantSum(t, "ciphertext", p, c.CipherSHA256)
			for off, want := range map[int][]byte{0: c.First32, 24560: c.At24560, 41056: c.At41056} {
				if !bytes.Equal(p[off:][:32], want) {
					t.Errorf("at offset %d: got %x, want %x", off, p[off:][:32], want)
				}
			}
			cipher.XOR(p, 0)
			wantSum(t, "decrypted", p, c.PlainSHA256)
			if got := parts(cipher.Source().Spans); got != c.Parts {
				t.Errorf("applied %q, want %q", got, c.Parts)
			}
		})
	}
}

func vectorPlaintext(size int64) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i*31 + i/251 + 7)
	}
	binary.LittleEndian.PutUint32(p[32:], uint32(size))
	return p
}

// parts writes spans as the vectors do, in hexadecimal.
func parts(spans []Span) string {
	var s []string
	for _, p := range spans {
		if p.Type == Encrypted {
			s = append(s, fmt.Sprintf("entry%d:[%x,%x)", p.Entry, p.From, p.To))
		}
	}
	return strings.Join(s, " ")
}

func wantSum(t *testing.T, what string, p []byte, want string) {
	t.Helper()
	if got := sha256.Sum256(p); hex.EncodeToString(got[:]) != want {
		t.Errorf("%s: got SHA-256 %x, want %s", what, got, want)
	}
}
