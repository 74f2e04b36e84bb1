package gcs

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	sdk "cloud.google.com/go/storage"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// Options say where a bucket is and how objects are kept there. Only Bucket
// must be set. None of them is a secret; see the package on credentials.
type Options struct {
	Bucket   string
	Endpoint string // URL without a path; empty: https://storage.googleapis.com

	// Anonymous leaves credentials out, for emulators. They never go over
	// http, so an endpoint with that scheme needs it.
	Anonymous bool

	CAFile         string        // PEM, trusted beside the system's
	ConnectTimeout time.Duration // of TCP and TLS, each; 0: 5 s

	StorageClass  string        // empty: the bucket's default
	EncryptionKey string        // projects/P/locations/L/keyRings/R/cryptoKeys/K; empty: the bucket's default
	RetainMode    string        // of the object: Locked or Unlocked; empty: what the bucket's policy says
	RetainFor     time.Duration // from the Put on

	PartSize int64 // of a resumable session, bytes, a multiple of 256 KiB up to 1 GiB; 0: 16 MiB
}

// Bounds of a part. The lower is the store's unit, the upper keeps memory
// bounded.
const (
	partUnit = 256 << 10
	maxPart  = 1 << 30
)

func (o Options) withDefaults() Options {
	o.Endpoint = strings.TrimSuffix(cmp.Or(o.Endpoint, "https://storage.googleapis.com"), "/")
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 5*time.Second)
	o.PartSize = cmp.Or(o.PartSize, 16<<20)
	return o
}

func (o Options) check() error {
	switch {
	case o.Bucket == "":
		return storage.Classify(errors.New("no bucket is named"), storage.ErrInvalid, "write gs://BUCKET/PREFIX")
	case !slices.Contains([]string{"", "Locked", "Unlocked"}, o.RetainMode):
		return remote.Invalid("retention mode %q is neither Locked nor Unlocked", o.RetainMode)
	case o.RetainFor < 0 || (o.RetainMode == "") != (o.RetainFor == 0):
		return remote.Invalid("a retention has a mode and a time span, both or neither")
	case o.PartSize < partUnit || o.PartSize > maxPart || o.PartSize%partUnit != 0:
		return remote.Invalid("part size %d is no multiple of %d bytes up to %d", o.PartSize, partUnit, maxPart)
	case o.ConnectTimeout < 0:
		return remote.Invalid("connect timeout %v is negative", o.ConnectTimeout)
	}
	return o.checkEndpoint()
}

func (o Options) checkEndpoint() error {
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return storage.Classify(errors.New("the endpoint is no URL of a server"), storage.ErrInvalid,
			"write https://HOST or https://HOST:PORT")
	case u.User != nil:
		return storage.Classify(errors.New("the endpoint has user information"), storage.ErrInvalid,
			"credentials never stand in URLs")
	case u.Scheme == "http" && !o.Anonymous:
		return storage.Classify(errors.New("the endpoint is not https, and credentials would go there"), storage.ErrInvalid,
			"for an emulator, switch credentials off")
	}
	return nil
}

// retention is how long an object that is stored now is kept; nil: as the
// bucket says.
func (o Options) retention() *sdk.ObjectRetention {
	if o.RetainMode == "" {
		return nil
	}
	return &sdk.ObjectRetention{Mode: o.RetainMode, RetainUntil: time.Now().Add(o.RetainFor).UTC()}
}
