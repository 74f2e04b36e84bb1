package azure

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"walarchive/storage"
)

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		op     string
		status int
		code   string
		kind   error
		hint   string
	}{
		{"get", 404, "BlobNotFound", storage.ErrNotExist, ""},
		{"stat", 404, "BlobNotFound", storage.ErrNotExist, ""},
		{"get", 404, "ContainerNotFound", storage.ErrInvalid, "there is no container wal at http"},
		{"stat", 404, "ContainerNotFound", storage.ErrInvalid, "there is no container"},
		{"delete", 404, "ContainerNotFound", storage.ErrInvalid, "there is no container"},
		{"list", 404, "ContainerNotFound", storage.ErrInvalid, "there is no container"},
		{"stat", 404, "ResourceNotFound", storage.ErrInvalid, "there is no container"},
		{"put", 409, "BlobAlreadyExists", storage.ErrExist, ""},
		{"put", 412, "ConditionNotMet", storage.ErrExist, ""},
		{"put", 409, "ContainerBeingDeleted", storage.ErrUnavailable, "being deleted"},
		{"put", 400, "Crc64Mismatch", storage.ErrUnavailable, "changed on their way"},
		{"put", 400, "InvalidBlobTier", storage.ErrInvalid, ""},
		{"put", 413, "RequestBodyTooLarge", storage.ErrInvalid, ""},
		{"put", 400, "InvalidHeaderValue", storage.ErrInvalid, "--skipApiVersionCheck"},
		{"put", 501, "NotImplemented", errors.ErrUnsupported, "the condition"},
		{"put", 507, "InsufficientStorage", storage.ErrFull, "quota"},
		{"put", 403, "AuthorizationPermissionMismatch", storage.ErrPermission, "Storage Blob Data Contributor"},
		{"get", 403, "AuthorizationFailure", storage.ErrPermission, "Storage Blob Data Contributor"},
		{"get", 403, "AuthenticationFailed", storage.ErrPermission, "wrong, replaced or expired"},
		{"get", 403, "KeyBasedAuthenticationNotPermitted", storage.ErrPermission, "identity"},
		{"get", 403, "AuthorizationSourceIPMismatch", storage.ErrPermission, "address of this host"},
		{"get", 403, "AccountIsDisabled", storage.ErrPermission, "disabled"},
		{"get", 409, "PublicAccessNotPermitted", storage.ErrPermission, "no valid credentials"},
		{"get", 401, "NoAuthenticationInformation", storage.ErrPermission, "no valid credentials"},
		{"get", 409, "BlobArchived", storage.ErrPermission, "rehydrated"},
		{"delete", 409, "BlobImmutableDueToPolicy", storage.ErrPermission, "immutability"},
		{"delete", 409, "SnapshotsPresent", storage.ErrPermission, "snapshots"},
		{"delete", 412, "LeaseIdMissing", storage.ErrPermission, "lease"},
		{"put", 503, "ServerBusy", storage.ErrUnavailable, ""},
		{"get", 500, "InternalError", storage.ErrUnavailable, ""},
		{"list", 500, "OperationTimedOut", storage.ErrUnavailable, ""},
		{"put blocks", 429, "TooManyRequests", storage.ErrUnavailable, ""},
		{"get", 418, "", storage.ErrUnavailable, ""},
	} {
		t.Run(fmt.Sprintf("%s %d %s", c.op, c.status, c.code), func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				refuse(w, c.status, c.code)
			})
			err := call(t.Context(), f.bucket(t, small), c.op)
			wantRefusal(t, err, c.kind, c.hint)
			if err != nil && !strings.Contains(err.Error(), "request id-of-request") {
				t.Errorf("%v: does not name the request", err)
			}
			for _, line := range []string{"\n", "RequestId:"} {
				if err != nil && strings.Contains(err.Error(), line) {
					t.Errorf("%q: has %q", err, line)
				}
			}
		})
	}
}

// A refusal is not repeated here: storage.WithRetry does that.
func TestNothingIsRepeated(t *testing.T) {
	for _, status := range []int{408, 429, 500, 502, 503, 504} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			refuse(w, status, "ServerBusy")
		})
		b := f.bucket(t)
		for i, op := range []string{"put", "get", "stat", "list", "delete"} {
			wantRefusal(t, call(t.Context(), b, op), storage.ErrUnavailable, "")
			if got := len(f.seen()); got != i+1 {
				t.Fatalf("%s, status %d: %d requests in all, want %d", op, status, got, i+1)
			}
		}
	}
}

// What a proxy or a portal says is neither an object nor a missing one.
func TestForeignAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		keepID bool
	}{
		{"a page", 200, false},
		{"a page with an id of its own", 200, true},
		{"a page, as created", 201, false},
		{"a page, as created, with an id of its own", 201, true},
		{"not found", 404, false},
		{"not found, with an id of its own", 404, true},
		{"forbidden", 403, false},
		{"conflict", 409, false},
		{"precondition failed", 412, false},
		{"range", 416, true},
		{"redirect", 302, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if !c.keepID {
					w.Header().Del("X-Ms-Request-Id")
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, "<html><body>Please log in</body></html>")
			})
			b := f.bucket(t, small)
			for _, op := range ops {
				err := call(t.Context(), b, op)
				if err == nil || storage.Permanent(err) {
					t.Errorf("%s: got %v, want an error that is not permanent", op, err)
				}
			}
		})
	}
}

func TestSkewedClock(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		refuse(w, 403, "AuthenticationFailed")
	})
	wantRefusal(t, call(t.Context(), f.bucket(t), "get"), storage.ErrPermission, "the clock of this host is 1h0m")
}

// Whoever comes second is told so, whatever the service says first.
func TestSecondWriter(t *testing.T) {
	for _, c := range []struct {
		code   string
		status int
		there  bool
		kind   error
	}{
		{"BlobImmutableDueToPolicy", 409, true, storage.ErrExist},
		{"BlobImmutableDueToPolicy", 409, false, storage.ErrPermission},
		{"LeaseIdMissing", 412, true, storage.ErrExist},
		{"InvalidBlockList", 400, true, storage.ErrExist},
		{"InvalidBlockList", 400, false, storage.ErrUnavailable},
		{"AuthorizationPermissionMismatch", 403, true, storage.ErrExist},
		{"AuthorizationFailure", 403, true, storage.ErrPermission},
	} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			switch {
			case r.Method == http.MethodHead && c.there:
				w.Header().Set("Content-Length", "3")
				describe(w)
			case r.Method == http.MethodHead:
				refuse(w, 404, "BlobNotFound")
			default:
				refuse(w, c.status, c.code)
			}
		})
		if err := call(t.Context(), f.bucket(t), "put"); !errors.Is(err, c.kind) {
			t.Errorf("%s, object there: %v: got %v, want %v", c.code, c.there, err, c.kind)
		}
	}
}
