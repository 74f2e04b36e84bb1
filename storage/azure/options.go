package azure

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// Options say where a container is and how objects are kept there. Container
// must be set, and one of Account, Endpoint and ConnectionStringFile. None of
// them is a secret; secrets stand in files that they name.
type Options struct {
	Container string
	Account   string // of storage; with no Endpoint: https://ACCOUNT.blob.core.windows.net
	Endpoint  string // URL of the account's blob service, where that is another

	// At most one of these names a file with a secret, which is read once. With
	// none of them, credentials come from the default chain of azidentity.
	ConnectionStringFile string // as the portal shows it; says the account and the endpoint, too
	SASFile              string // a shared access signature: sv=...&sig=...
	KeyFile              string // a key of Account, in base64

	CAFile         string        // PEM, trusted beside the system's
	ConnectTimeout time.Duration // of TCP and TLS, each; 0: 5 s

	Tier            string        // Hot, Cool or Cold; empty: the account's default
	EncryptionScope string        // names the key that the service encrypts with; empty: the container's default
	RetainMode      string        // immutability: Unlocked or Locked; empty: the container's default
	RetainFor       time.Duration // from the Put on

	PartSize    int64 // bytes of a block, 1 MiB to 4000 MiB; 0: 16 MiB
	Concurrency int   // blocks of one body in memory at once, 1 to 64; 0: 4
}

// Bounds of a block in bytes: the upper is the service's.
const (
	minPart = 1 << 20
	maxPart = 4000 << 20
)

func (o Options) withDefaults() Options {
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 5*time.Second)
	o.PartSize = cmp.Or(o.PartSize, 16<<20)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	return o
}

func (o Options) check() error {
	switch {
	case o.Container == "":
		return storage.Classify(errors.New("no container is named"), storage.ErrInvalid, "write azblob://CONTAINER/PREFIX")
	case !wellFormed(o.Container, 3, 63, "-"):
		return remote.Invalid("%.70q cannot be the name of a container", o.Container)
	case o.Account != "" && !wellFormed(o.Account, 3, 24, ""):
		return remote.Invalid("%.70q cannot be the name of a storage account", o.Account)
	case !slices.Contains([]string{"", "Hot", "Cool", "Cold"}, o.Tier):
		return storage.Classify(fmt.Errorf("access tier %q is none of Hot, Cool, Cold", o.Tier), storage.ErrInvalid,
			"what lies in Archive cannot be read without hours of rehydration")
	case !slices.Contains([]string{"", "Unlocked", "Locked"}, o.RetainMode):
		return remote.Invalid("retention mode %q is neither Unlocked nor Locked", o.RetainMode)
	case (o.RetainMode == "") != (o.RetainFor <= 0):
		return remote.Invalid("a retention has a mode and a time span, both or neither")
	case o.PartSize < minPart || o.PartSize > maxPart:
		return remote.Invalid("part size %d is not between %d and %d bytes", o.PartSize, minPart, maxPart)
	case o.Concurrency < 1 || o.Concurrency > 64:
		return remote.Invalid("concurrency %d is not between 1 and 64", o.Concurrency)
	}
	return o.checkPlace()
}

// checkPlace checks that what says where the account is says so once.
func (o Options) checkPlace() error {
	files := 0
	for _, name := range []string{o.ConnectionStringFile, o.SASFile, o.KeyFile} {
		if name != "" {
			files++
		}
	}
	switch {
	case files > 1:
		return remote.Invalid("of connection string, shared access signature and account key, only one can be used")
	case o.ConnectionStringFile != "" && (o.Account != "" || o.Endpoint != ""):
		return remote.Invalid("a connection string names the account and the endpoint: set neither beside it")
	case o.KeyFile != "" && o.Account == "":
		return remote.Invalid("an account key needs the name of its account")
	case o.ConnectionStringFile == "" && o.Account == "" && o.Endpoint == "":
		return storage.Classify(errors.New("no storage account is named"), storage.ErrInvalid, "set the account, or an endpoint")
	case o.Endpoint != "":
		return checkEndpoint(o.Endpoint)
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Fragment != "":
		return storage.Classify(errors.New("the endpoint is no URL of a server"), storage.ErrInvalid,
			"write https://ACCOUNT.blob.core.windows.net or https://HOST:PORT/ACCOUNT")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery:
		return storage.Classify(errors.New("the endpoint has user information or a query"), storage.ErrInvalid,
			"credentials never stand in URLs: write a shared access signature into a file, and replace it if the URL was logged")
	}
	return nil
}

// wellFormed reports whether s has from low to high lower-case letters, digits
// and bytes of others, the latter inside only.
func wellFormed(s string, low, high int, others string) bool {
	if len(s) < low || len(s) > high || strings.Trim(s, others) != s {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789"+others) == ""
}

// retention is how long an object that is stored now can be neither changed
// nor deleted.
func (o Options) retention() (*blob.ImmutabilityPolicySetting, *time.Time) {
	if o.RetainMode == "" {
		return nil, nil
	}
	return to.Ptr(blob.ImmutabilityPolicySetting(o.RetainMode)), to.Ptr(time.Now().Add(o.RetainFor).UTC())
}

func (o Options) tier() *blob.AccessTier {
	if o.Tier == "" {
		return nil
	}
	return to.Ptr(blob.AccessTier(o.Tier))
}

func (o Options) scope() *blob.CPKScopeInfo {
	if o.EncryptionScope == "" {
		return nil
	}
	return &blob.CPKScopeInfo{EncryptionScope: &o.EncryptionScope}
}
