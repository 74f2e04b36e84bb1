package s3

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

// A Put is a plain one: a length, a signed payload, a condition.
func TestPutRequest(t *testing.T) {
	s, b := newStore(t, stored)
	if err := calls(t, b)["put"](); err != nil {
		t.Fatal(err)
	}
	got := s.seen[0]
	if got.method != http.MethodPut || !strings.HasPrefix(got.path, "/bucket/x") || got.length != 4 || got.body != "body" {
		t.Errorf("got %+v", got)
	}
	for name, want := range map[string]string{
		"If-None-Match": "*", "X-Amz-Content-Sha256": hexSHA256("body"),
		"Content-Encoding": "", "X-Amz-Trailer": "", "X-Amz-Checksum-Crc32c": "", "X-Amz-Checksum-Crc32": "",
		"X-Amz-Storage-Class": "", "X-Amz-Server-Side-Encryption": "",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestPutSettings(t *testing.T) {
	s, b := newStore(t, stored)
	o := b.o
	o.StorageClass, o.Encryption, o.EncryptionKey = "STANDARD_IA", "aws:kms", "key-1"
	o.RetainMode, o.RetainFor = "COMPLIANCE", time.Hour
	b = openAtWithout(t, &Bucket{o: o})
	if err := calls(t, b)["put"](); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1", "X-Amz-Object-Lock-Mode": "COMPLIANCE",
		"X-Amz-Checksum-Crc32c": "Jj/JUA==",
	} {
		if got := s.seen[0].header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if until := s.seen[0].header.Get("X-Amz-Object-Lock-Retain-Until-Date"); until == "" {
		t.Error("no date until which the object is locked")
	}
}

// A failed upload in parts is aborted, and what fails is what is told.
func TestPartsAbort(t *testing.T) {
	begun := says(200, "<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>")
	for _, c := range []struct {
		name    string
		answers []http.HandlerFunc
		want    error
	}{
		{"a part fails", []http.HandlerFunc{begun, refuses(500, "InternalError")}, storage.ErrUnavailable},
		{"the name is taken", []http.HandlerFunc{begun, stored, stored, refuses(412, "PreconditionFailed"), says(204, "")}, storage.ErrExist},
		{"an error after 200", []http.HandlerFunc{begun, stored, stored, refuses(200, "InternalError"), says(204, "")}, storage.ErrUnavailable},
		{"a portal's page at the end", []http.HandlerFunc{begun, stored, stored, says(200, portal), says(204, "")}, storage.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, b := newStore(t, c.answers...)
			b.o.PartSize, b.o.Concurrency = 10, 1
			err := b.Put(t.Context(), "x", struct{ io.ReadSeeker }{strings.NewReader("fifteen bytes..")})
			check(t, err, c.want, "")
			if last := s.seen[len(s.seen)-1]; last.method != http.MethodDelete || !strings.Contains(last.path, "uploadId=U") {
				t.Errorf("the last request was %s %s, want an abort", last.method, last.path)
			}
		})
	}
}

func TestPartsRequests(t *testing.T) {
	s, b := newStore(t,
		says(200, "<InitiateMultipartUploadResult><UploadId>U</UploadId></InitiateMultipartUploadResult>"), stored, stored,
		says(200, `<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`))
	b.o.PartSize, b.o.Concurrency = 10, 1
	if err := b.Put(t.Context(), "x", struct{ io.ReadSeeker }{strings.NewReader("fifteen bytes..")}); err != nil {
		t.Fatal(err)
	}
	if len(s.seen) != 4 || s.seen[1].body+s.seen[2].body != "fifteen bytes.." {
		t.Fatalf("got %+v", s.seen)
	}
	if got := s.seen[3].header.Get("If-None-Match"); got != "*" {
		t.Errorf("If-None-Match of the completion: got %q", got)
	}
}

// Answers to a Get that are not what was asked for.
func TestGetAnswers(t *testing.T) {
	with := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"e"`)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		off, n int64
		want   error
	}{
		{"whole", has("0123456789"), 0, -1, nil},
		{"range", has("0123456789"), 2, 5, nil},
		{"range past the end", has("0123456789"), 5, 50, nil},
		{"behind the end", has("0123456789"), 50, 5, nil},
		{"cut short", with(200, "01234", "Content-Length", "10"), 0, -1, storage.ErrUnavailable},
		{"a range cut short", with(206, "01", "Content-Length", "5", "Content-Range", "bytes 0-4/10"), 0, 5, storage.ErrUnavailable},
		{"the range is ignored", with(200, "0123456789"), 2, 5, storage.ErrUnavailable},
		{"another range", with(206, "01234", "Content-Range", "bytes 0-4/10"), 2, 5, storage.ErrUnavailable},
		{"more than asked for", with(206, "23456789", "Content-Range", "bytes 2-9/10"), 2, 5, storage.ErrUnavailable},
		{"the range is no number", with(206, "01234", "Content-Range", "bytes x-y/10"), 2, 5, storage.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, b := newStore(t, c.answer)
			check(t, readAll(t, b, "x", c.off, c.n), c.want, "")
		})
	}
}

// An empty list is believed only if it is one.
func TestListAnswers(t *testing.T) {
	page := func(rest string, names ...string) http.HandlerFunc {
		text := "<ListBucketResult><Name>bucket</Name>" + rest
		for _, n := range names {
			text += fmt.Sprintf("<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>", n)
		}
		return says(200, text+"</ListBucketResult>")
	}
	const more = "<IsTruncated>true</IsTruncated><NextContinuationToken>T</NextContinuationToken>"
	for _, c := range []struct {
		name    string
		answers []http.HandlerFunc
		got     string
		want    error
	}{
		{"empty", []http.HandlerFunc{page("")}, "", nil},
		{"pages", []http.HandlerFunc{page(more, "a", "b"), page("", "c")}, "a b c", nil},
		{"names of others", []http.HandlerFunc{page("", "a/", "b", "c c", "d")}, "b d", nil},
		{"another document", []http.HandlerFunc{says(200, "<Other/>")}, "", storage.ErrUnavailable},
		{"nothing", []http.HandlerFunc{says(200, "")}, "", storage.ErrUnavailable},
		{"cut short", []http.HandlerFunc{says(200, "<ListBucketResult><Name>bucket</Name><Contents>")}, "", storage.ErrUnavailable},
		{"out of order", []http.HandlerFunc{page("", "b", "a")}, "b", storage.ErrUnavailable},
		{"twice", []http.HandlerFunc{page(more, "a", "b"), page("", "b", "c")}, "a b", storage.ErrUnavailable},
		{"no token", []http.HandlerFunc{page("<IsTruncated>true</IsTruncated>", "a")}, "", storage.ErrUnavailable},
		{"for ever", []http.HandlerFunc{page(more)}, "", storage.ErrUnavailable},
		{"the second page fails", []http.HandlerFunc{page(more, "a"), refuses(500, "InternalError")}, "a", storage.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, b := newStore(t, c.answers...)
			var names []string
			var err error
			for info, e := range b.List(t.Context(), "", "") {
				if err = e; err == nil {
					names = append(names, info.Name)
				}
			}
			check(t, err, c.want, "")
			if got := strings.Join(names, " "); got != c.got {
				t.Errorf("got %q, want %q", got, c.got)
			}
		})
	}
}

// MinIO ends some lists early that begin after a name.
func TestListThatEndsEarly(t *testing.T) {
	page := func(names ...string) http.HandlerFunc {
		text := "<ListBucketResult><Name>bucket</Name>"
		for _, n := range names {
			text += "<Contents><Key>" + n + "</Key><Size>1</Size><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>"
		}
		return says(200, text+"</ListBucketResult>")
	}
	s, b := newStore(t, page("b"), page("c", "d"), page())
	var got string
	for info, err := range b.List(t.Context(), "", "a") {
		if err != nil {
			t.Fatal(err)
		}
		got += info.Name
	}
	if got != "bcd" || s.count() != 3 || !strings.Contains(s.seen[2].path, "start-after=d") {
		t.Errorf("got %q in %d requests", got, s.count())
	}
}

func TestListBreakAsksNoMore(t *testing.T) {
	s, b := newStore(t, says(200, "<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated><NextContinuationToken>T</NextContinuationToken>"+
		"<Contents><Key>a</Key><Size>1</Size><LastModified>2026-01-02T03:04:05Z</LastModified></Contents></ListBucketResult>"))
	for range b.List(t.Context(), "", "") {
		break
	}
	if s.count() != 1 {
		t.Errorf("asked %d times", s.count())
	}
}

// A document that does not end must not fill the memory.
func TestEndlessDocument(t *testing.T) {
	for _, status := range []int{200, 500} {
		_, b := newStore(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat(" ", 1<<16))
			}
		})
		check(t, calls(t, b)["list"](), storage.ErrUnavailable, "")
	}
}

func TestUntrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(stored))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	check(t, calls(t, openAt(t, server.URL))["put"](), storage.ErrUnavailable, "CA file")
}

func TestOptions(t *testing.T) {
	setCredentials(t)
	for _, c := range []struct {
		name string
		o    Options
		says string // empty: good
	}{
		{"AWS", Options{Bucket: "b", Region: "eu-central-1"}, ""},
		{"an endpoint without region", Options{Bucket: "b", Endpoint: "https://minio:9000"}, ""},
		{"no bucket", Options{Region: "eu-central-1"}, "no bucket"},
		{"no region", Options{Bucket: "b"}, "no region"},
		{"no such profile", Options{Bucket: "b", Region: "r", Profile: "none"}, "none"},
		{"endpoint without scheme", Options{Bucket: "b", Endpoint: "minio:9000"}, "endpoint"},
		{"endpoint with a password", Options{Bucket: "b", Endpoint: "https://id:" + secret + "@minio"}, "user information"},
		{"path style", Options{Bucket: "b", PathStyle: "sometimes"}, "sometimes"},
		{"encryption", Options{Bucket: "b", Encryption: "rot13"}, "rot13"},
		{"a key alone", Options{Bucket: "b", EncryptionKey: "k"}, "aws:kms"},
		{"retention without time", Options{Bucket: "b", RetainMode: "GOVERNANCE"}, "both or neither"},
		{"retention without mode", Options{Bucket: "b", RetainFor: 1}, "both or neither"},
		{"small parts", Options{Bucket: "b", PartSize: 1 << 20}, "part size"},
		{"concurrency", Options{Bucket: "b", Concurrency: 65}, "concurrency"},
		{"no CA file", Options{Bucket: "b", CAFile: "/none"}, "CA file"},
		{"a CA file without certificates", Options{Bucket: "b", CAFile: "/dev/null"}, "no certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(t.Context(), c.o)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, storage.ErrInvalid) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, want %q in it", err, c.says)
			}
		})
	}
}
