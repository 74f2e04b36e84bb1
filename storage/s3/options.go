package s3

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"time"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// Options say where a bucket is and how objects are kept there. Only Bucket
// must be set. None of them is a secret; see the package on credentials.
type Options struct {
	Bucket   string
	Endpoint string // URL of a store other than AWS; empty: what the SDK's configuration says
	Region   string // empty: the SDK's; where an endpoint is given and no region at all, us-east-1
	Profile  string // of the SDK's shared files; empty: the SDK's

	// PathStyle says whether URLs name the bucket in the path: always, never,
	// or auto (empty): for all endpoints but those of AWS.
	PathStyle string

	CAFile         string        // PEM, trusted beside the system's
	ConnectTimeout time.Duration // of TCP and TLS, each; 0: 5 s

	StorageClass  string        // empty: the bucket's default
	Encryption    string        // at the server: AES256, aws:kms or aws:kms:dsse; empty: the bucket's default
	EncryptionKey string        // id of the KMS key; empty: the account's
	RetainMode    string        // object lock: GOVERNANCE or COMPLIANCE; empty: the bucket's default
	RetainFor     time.Duration // from the Put on

	PartSize    int64 // bytes, 5 MiB to 5 GiB; 0: 16 MiB
	Concurrency int   // parts of one body in memory at once, 1 to 64; 0: 4
}

// Bounds of a part, by S3's rules.
const (
	minPart = 5 << 20
	maxPart = 5 << 30
)

func (o Options) withDefaults() Options {
	o.PathStyle = cmp.Or(o.PathStyle, "auto")
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 5*time.Second)
	o.PartSize = cmp.Or(o.PartSize, 16<<20)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	return o
}

func (o Options) check() error {
	switch {
	case o.Bucket == "":
		return storage.Classify(errors.New("no bucket is named"), storage.ErrInvalid, "write s3://BUCKET/PREFIX")
	case !slices.Contains([]string{"auto", "always", "never"}, o.PathStyle):
		return remote.Invalid("path style %q is none of auto, always, never", o.PathStyle)
	case !slices.Contains([]string{"", "AES256", "aws:kms", "aws:kms:dsse"}, o.Encryption):
		return remote.Invalid("server-side encryption %q is none of AES256, aws:kms, aws:kms:dsse", o.Encryption)
	case o.EncryptionKey != "" && o.Encryption != "aws:kms" && o.Encryption != "aws:kms:dsse":
		return remote.Invalid("an encryption key goes with aws:kms and aws:kms:dsse only")
	case !slices.Contains([]string{"", "GOVERNANCE", "COMPLIANCE"}, o.RetainMode):
		return remote.Invalid("retention mode %q is neither GOVERNANCE nor COMPLIANCE", o.RetainMode)
	case (o.RetainMode == "") != (o.RetainFor <= 0):
		return remote.Invalid("a retention has a mode and a time span, both or neither")
	case o.PartSize < minPart || o.PartSize > maxPart:
		return remote.Invalid("part size %d is not between %d and %d bytes", o.PartSize, minPart, maxPart)
	case o.Concurrency < 1 || o.Concurrency > 64:
		return remote.Invalid("concurrency %d is not between 1 and 64", o.Concurrency)
	}
	return o.checkEndpoint()
}

func (o Options) checkEndpoint() error {
	if o.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return storage.Classify(errors.New("the endpoint is no URL of a server"), storage.ErrInvalid, "write https://HOST or https://HOST:PORT")
	case u.User != nil:
		return storage.Classify(errors.New("the endpoint has user information"), storage.ErrInvalid, "credentials never stand in URLs")
	}
	return nil
}

// retainUntil is when an object that is stored now may be deleted.
func (o Options) retainUntil() *time.Time {
	if o.RetainMode == "" {
		return nil
	}
	until := time.Now().Add(o.RetainFor).UTC()
	return &until
}
