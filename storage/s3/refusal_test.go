package s3

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var kinds = []error{
	storage.ErrNotExist, storage.ErrExist, storage.ErrPermission, storage.ErrInvalid,
	storage.ErrUnavailable, storage.ErrFull, errors.ErrUnsupported,
}

// Each refusal has its kind, no other, and is asked for once: repeating is not
// the backend's.
func TestRefusals(t *testing.T) {
	every := []string{"put", "get", "stat", "list", "delete"}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		ops    []string
		want   error  // nil: success
		says   string // in message or hint
	}{
		{"no such object", refuses(404, "NoSuchKey"), []string{"get", "stat"}, storage.ErrNotExist, "REQ-1"},
		{"no such object to delete", refuses(404, "NoSuchKey"), []string{"delete"}, nil, ""},
		{"no such bucket", refuses(404, "NoSuchBucket"), every, storage.ErrInvalid, "there is no bucket bucket"},
		{"a portal's page for 404", says(404, portal), every, storage.ErrUnavailable, "404"},
		{"no page at all for 404", says(404, ""), every, storage.ErrUnavailable, "404"},
		{"a page that is no XML", says(404, "<p>Not found<br>"), every, storage.ErrUnavailable, "404"},
		{"a portal's page for 200", says(200, portal), []string{"put", "get", "stat", "list"}, storage.ErrUnavailable, "proxy"},
		{"a portal's redirect", says(302, portal), every, storage.ErrUnavailable, "302"},
		{"taken", refuses(412, "PreconditionFailed"), []string{"put"}, storage.ErrExist, ""},
		{"no permission", refuses(403, "AccessDenied"), every, storage.ErrPermission, "s3:GetObject"},
		{"unknown key", refuses(403, "InvalidAccessKeyId"), []string{"put", "get", "list"}, storage.ErrPermission, "does not know"},
		{"wrong secret", refuses(403, "SignatureDoesNotMatch"), []string{"put", "get", "list"}, storage.ErrPermission, "secret key is wrong"},
		{"wrong clock", refuses(403, "RequestTimeTooSkewed"), []string{"put", "get", "list"}, storage.ErrPermission, "clock"},
		{"expired", refuses(400, "ExpiredToken"), []string{"put", "get", "list"}, storage.ErrPermission, "renew"},
		{"wrong region", refuses(400, "AuthorizationHeaderMalformed"), []string{"put", "get", "list"}, storage.ErrInvalid, "region"},
		{"throttled", refuses(503, "SlowDown"), every, storage.ErrUnavailable, "503"},
		{"too many", says(429, ""), every, storage.ErrUnavailable, "429"},
		{"broken", refuses(500, "InternalError"), every, storage.ErrUnavailable, "REQ-1"},
		{"a gateway's page", says(502, "Bad Gateway"), every, storage.ErrUnavailable, "502"},
		{"damaged on its way", refuses(400, "BadDigest"), []string{"put"}, storage.ErrUnavailable, "BadDigest"},
		{"an error after 200", refuses(200, "InternalError"), []string{"put", "list"}, storage.ErrUnavailable, "InternalError"},
		{"no conditions", refuses(501, "NotImplemented"), []string{"put"}, errors.ErrUnsupported, "condition"},
		{"full", refuses(507, "XMinioStorageFull"), []string{"put"}, storage.ErrFull, "capacity"},
		{"hung up", drops, []string{"get", "stat", "list", "delete"}, storage.ErrUnavailable, "reachable"},
	} {
		for _, op := range c.ops {
			t.Run(c.name+"/"+op, func(t *testing.T) {
				s, b := newStore(t, c.answer)
				err := calls(t, b)[op]()
				check(t, err, c.want, c.says)
				if n := s.count(); n != 1 && !(op == "stat" && n == 2) {
					t.Errorf("asked %d times", n)
				}
			})
		}
	}
}

// check holds err to one kind and to what it must say.
func check(t *testing.T, err, want error, says string) {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var e *storage.Error
	if !errors.Is(err, want) || !errors.As(err, &e) {
		t.Fatalf("got %v, want a storage.Error of kind %v", err, want)
	}
	other := func(k error) bool { return k != want && errors.Is(err, k) }
	if i := slices.IndexFunc(kinds, other); i >= 0 {
		t.Errorf("%v is %v, too", err, kinds[i])
	}
	if text := err.Error() + "\n" + hintOf(err); !strings.Contains(text, says) || strings.Contains(text, secret) {
		t.Errorf("got %q, want %q in it", text, says)
	}
}

func TestRegionIsTold(t *testing.T) {
	_, b := newStore(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-3")
		refuses(301, "PermanentRedirect")(w, r)
	})
	for _, op := range []string{"put", "stat", "list"} {
		check(t, calls(t, b)[op](), storage.ErrInvalid, "region eu-west-3: set that")
	}
}

// What came of a put without an answer only a look can tell.
func TestLostAnswer(t *testing.T) {
	_, b := newStore(t, drops, has("what was put"))
	check(t, calls(t, b)["put"](), storage.ErrExist, "")
	_, b = newStore(t, drops, refuses(404, "NoSuchKey"))
	check(t, calls(t, b)["put"](), storage.ErrUnavailable, "reachable")
}

// What a 409 means only a look can tell.
func TestConflict(t *testing.T) {
	conflict := refuses(409, "ConditionalRequestConflict")
	_, b := newStore(t, conflict, has("the winner's"))
	check(t, calls(t, b)["put"](), storage.ErrExist, "")
	_, b = newStore(t, conflict, refuses(404, "NoSuchKey"))
	check(t, calls(t, b)["put"](), storage.ErrUnavailable, "409")
}

// A store that refuses before it has read the body resets the connection, and
// the refusal is lost.
func TestLostRefusal(t *testing.T) {
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if err := errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close()); err != nil {
			t.Error(err)
		}
	}
	_, b := newStore(t, reset, has("the winner's"))
	check(t, calls(t, b)["put"](), storage.ErrExist, "")
	_, b = newStore(t, reset, refuses(404, "NoSuchKey"))
	check(t, calls(t, b)["put"](), storage.ErrUnavailable, "reset")
}

func TestRefusalIsPrintable(t *testing.T) {
	_, b := newStore(t, refuses(403, strings.Repeat("long\n\tand \u0085 wild", 1000)))
	err := calls(t, b)["get"]()
	if text := err.Error(); strings.ContainsAny(text, "\n\t") || len(text) > 2000 {
		t.Errorf("got %q", text)
	}
}

func TestMissingCredentials(t *testing.T) {
	_, b := newStore(t, stored)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	b = openAtWithout(t, b)
	err := calls(t, b)["put"]()
	if err == nil || !strings.Contains(err.Error(), "no credentials") || !strings.Contains(hintOf(err), "needs credentials") {
		t.Errorf("got %v, hint %q", err, hintOf(err))
	}
}

func openAtWithout(t *testing.T, b *Bucket) *Bucket {
	t.Helper()
	b, err := New(t.Context(), b.o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Nobody may send requests, with what they carry, elsewhere.
func TestRedirectIsNotFollowed(t *testing.T) {
	other, _ := newStore(t, stored)
	_, b := newStore(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	for op, call := range calls(t, b) {
		check(t, call(), storage.ErrUnavailable, "307")
		if other.count() != 0 {
			t.Fatalf("%s followed a redirect", op)
		}
	}
}
