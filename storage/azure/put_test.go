package azure

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"walarchive/storage"
)

func TestPutIsOneRequest(t *testing.T) {
	f := newFake(t, stored)
	content := bytes.Repeat([]byte("content "), 1<<17)
	b := f.bucket(t, func(o *Options) {
		o.Tier, o.EncryptionScope, o.RetainMode, o.RetainFor = "Cool", "walscope", "Unlocked", 24*time.Hour
	})
	if err := b.Put(t.Context(), "a/name", bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	requests := f.seen()
	if len(requests) != 1 {
		t.Fatalf("%d requests, want 1", len(requests))
	}
	r := requests[0]
	if r.Method != http.MethodPut || r.URL.Path != "/account/wal/a/name" || r.ContentLength != int64(len(content)) {
		t.Errorf("got %s %s with %d bytes", r.Method, r.URL, r.ContentLength)
	}
	for name, want := range map[string]string{
		"If-None-Match":                 "*",
		"X-Ms-Blob-Type":                "BlockBlob",
		"X-Ms-Content-Crc64":            checksum(content),
		"X-Ms-Access-Tier":              "Cool",
		"X-Ms-Encryption-Scope":         "walscope",
		"X-Ms-Immutability-Policy-Mode": "Unlocked",
		"Expect":                        "",
		"Content-Encoding":              "",
		"X-Ms-Structured-Body":          "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	until, err := http.ParseTime(r.Header.Get("X-Ms-Immutability-Policy-Until-Date"))
	if left := time.Until(until); err != nil || left < 23*time.Hour || left > 25*time.Hour {
		t.Errorf("kept until %v, error %v; want a day from now", until, err)
	}
}

// checksum is the header's form of the CRC-64, computed as Azure describes it:
// little-endian, in base64.
func checksum(data []byte) string {
	sum := crc64.Checksum(data, crc64.MakeTable(0x9A6C9329AC4BC9B5))
	return base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint64(nil, sum))
}

// The check value of CRC-64/NVME.
func TestChecksum(t *testing.T) {
	sum, n, err := digest(strings.NewReader("123456789"))
	if sum != 0xAE8B14860A799888 || n != 9 || err != nil {
		t.Errorf("got %X of %d bytes, error %v; want AE8B14860A799888", sum, n, err)
	}
}

// staged is a server that keeps blocks, and counts how many come at once.
type staged struct {
	mu         sync.Mutex
	blocks     map[string][]byte
	list       []string
	now, most  atomic.Int32
	refuseFrom int // the number of the block from which on blocks are refused; 0: none
}

func (s *staged) handle(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body)
	switch query := r.URL.Query(); query.Get("comp") {
	case "block":
		s.block(w, query.Get("blockid"), data)
	case "blocklist":
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, part := range strings.Split(string(data), "<Latest>")[1:] {
			id, _, _ := strings.Cut(part, "</Latest>")
			s.list = append(s.list, id)
		}
		describe(w)
		w.WriteHeader(http.StatusCreated)
	default:
		refuse(w, 400, "UnexpectedRequest")
	}
}

func (s *staged) block(w http.ResponseWriter, id string, data []byte) {
	s.most.Store(max(s.most.Load(), s.now.Add(1)))
	defer s.now.Add(-1)
	time.Sleep(5 * time.Millisecond) // long enough for others to come
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuseFrom > 0 && len(s.blocks)+1 >= s.refuseFrom {
		refuse(w, 503, "ServerBusy")
		return
	}
	s.blocks[id] = data
	w.WriteHeader(http.StatusCreated)
}

// object is what the committed blocks make.
func (s *staged) object() []byte {
	var data []byte
	for _, id := range s.list {
		data = append(data, s.blocks[id]...)
	}
	return data
}

func TestBlocks(t *testing.T) {
	for _, size := range []int{minPart + 1, 2 * minPart, 7*minPart + 5} {
		s := &staged{blocks: map[string][]byte{}}
		f := newFake(t, s.handle)
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(i >> 12)
		}
		b := f.bucket(t, func(o *Options) { o.PartSize, o.Concurrency = minPart, 3 })
		if err := b.Put(t.Context(), "name", &unsized{bytes.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.object(), content) {
			t.Errorf("%d bytes: the blocks make another object", size)
		}
		if most := s.most.Load(); most > 3 {
			t.Errorf("%d blocks at once, want at most 3", most)
		}
		requests := f.seen()
		for i, r := range requests {
			want := "*"
			if i < len(requests)-1 {
				want = ""
			}
			if got := r.Header.Get("If-None-Match"); got != want {
				t.Errorf("request %d of %d: If-None-Match %q, want %q", i+1, len(requests), got, want)
			}
		}
	}
}

func TestBlocksOfTwoWritersDiffer(t *testing.T) {
	a, b := newUpload(&Bucket{client: newFake(t, stored).bucket(t).client}, "x"), newUpload(&Bucket{client: newFake(t, stored).bucket(t).client}, "x")
	if a.id(0) == b.id(0) || a.id(0) == a.id(1) || len(a.id(0)) != len(a.id(maxBlocks)) {
		t.Errorf("ids %s, %s, %s", a.id(0), a.id(1), b.id(0))
	}
}

func TestRefusedBlockEndsThePut(t *testing.T) {
	s := &staged{blocks: map[string][]byte{}, refuseFrom: 3}
	f := newFake(t, s.handle)
	err := f.bucket(t, small).Put(t.Context(), "name", &unsized{bytes.NewReader(make([]byte, 40*minPart))})
	wantRefusal(t, err, storage.ErrUnavailable, "")
	if n := len(f.seen()); n > 12 {
		t.Errorf("%d requests, want an end soon after the third", n)
	}
	if len(s.list) != 0 {
		t.Error("the blocks were committed")
	}
}

// A body of known size above the limit goes up in blocks, one at it whole.
func TestLimitOfOneRequest(t *testing.T) {
	for size, want := range map[int64]int{maxSingle: 1, maxSingle + 1: 6} {
		var requests atomic.Int32
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1); stored(w, r) })
		if err := f.bucket(t).Put(t.Context(), "name", bytes.NewReader(make([]byte, size))); err != nil {
			t.Fatal(err)
		}
		if got := int(requests.Load()); got != want {
			t.Errorf("%s bytes: %d requests, want %d", strconv.FormatInt(size, 10), got, want)
		}
	}
}

// A service that refuses before it has read the body resets the connection, and
// the refusal is lost: only a look tells.
func TestLostRefusal(t *testing.T) {
	for _, c := range []struct {
		name string
		look http.HandlerFunc
		want error
	}{
		{"taken", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1"); describe(w) }, storage.ErrExist},
		{"free", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ms-Error-Code", "BlobNotFound")
			w.WriteHeader(http.StatusNotFound)
		}, storage.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					c.look(w, r)
					return
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					err = errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
			err := f.bucket(t).Put(t.Context(), "a", strings.NewReader("x"))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
