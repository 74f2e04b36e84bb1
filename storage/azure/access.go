package azure

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// access is where the account is and what opens it: a key, a shared access
// signature, or nothing, which is for azidentity. No verb shows it.
type access struct {
	endpoint string
	account  string
	key      string // base64
	sas      string // a query, without ?
}

// Format keeps secrets out of whatever prints an access.
func (access) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "access(hidden)") }

// access reads the file that o names.
func (o Options) access() (access, error) {
	a := access{endpoint: o.Endpoint, account: o.Account}
	if a.endpoint == "" {
		a.endpoint = "https://" + o.Account + ".blob.core.windows.net"
	}
	var err error
	switch {
	case o.ConnectionStringFile != "":
		err = readSecret("connection string", o.ConnectionStringFile, func(text string) error {
			a, err = parseConnectionString(text)
			return err
		})
	case o.SASFile != "":
		err = readSecret("shared access signature", o.SASFile, func(text string) error {
			a.sas, err = parseSAS(text)
			return err
		})
	case o.KeyFile != "":
		err = readSecret("account key", o.KeyFile, func(text string) error {
			a.key = text
			return checkKey(text)
		})
	}
	if err != nil {
		return access{}, err
	}
	return a, a.checkTransport()
}

// checkTransport refuses to send what opens the account in the clear. A key is
// never sent, it only signs.
func (a access) checkTransport() error {
	if a.key != "" || strings.HasPrefix(a.endpoint, "https://") {
		return nil
	}
	return storage.Classify(errors.New("tokens and shared access signatures go over https only"), storage.ErrInvalid,
		"use https in the endpoint, or an account key")
}

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 16 << 10

// readSecret hands the content of a file to parse, without the space around
// it. Its errors say nothing of the content.
func readSecret(what, file string, parse func(text string) error) error {
	f, err := os.Open(file)
	if err != nil {
		return storage.Classify(fmt.Errorf("%s: %w", what, err), storage.ErrInvalid,
			"the file must be there and readable for the user that runs this")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return storage.Classify(fmt.Errorf("%s: %w", what, err), storage.ErrInvalid, "")
	}
	if len(data) > maxSecret {
		return remote.Invalid("%s: %s has more than %d bytes", what, file, maxSecret)
	}
	if err := parse(strings.TrimSpace(string(data))); err != nil {
		return storage.Classify(fmt.Errorf("%s: %s: %w", what, file, err), storage.ErrInvalid, "")
	}
	return nil
}

// parseConnectionString reads what the portal calls so: names and values
// joined by = and separated by semicolons.
func parseConnectionString(text string) (access, error) {
	fields := map[string]string{}
	for field := range strings.SplitSeq(strings.TrimRight(text, ";"), ";") {
		name, value, ok := strings.Cut(field, "=")
		if _, twice := fields[name]; !ok || name == "" || twice {
			return access{}, errors.New("not of the form NAME=VALUE;NAME=VALUE, each name once")
		}
		fields[name] = value
	}
	a := access{account: fields["AccountName"], key: fields["AccountKey"]}
	if a.account != "" && !wellFormed(a.account, 3, 24, "") {
		return access{}, errors.New("AccountName is not the name of a storage account")
	}
	var err error
	if a.endpoint, err = connectionEndpoint(fields); err != nil {
		return access{}, err
	}
	if a.key != "" {
		if a.account == "" {
			return access{}, errors.New("AccountKey needs an AccountName")
		}
		return a, checkKey(a.key)
	}
	a.sas, err = parseSAS(fields["SharedAccessSignature"])
	return a, err
}

func connectionEndpoint(fields map[string]string) (string, error) {
	endpoint := strings.TrimRight(fields["BlobEndpoint"], "/")
	if endpoint == "" {
		if fields["AccountName"] == "" {
			return "", errors.New("neither AccountName nor BlobEndpoint is in it")
		}
		endpoint = defaultTo(fields["DefaultEndpointsProtocol"], "https") + "://" + fields["AccountName"] +
			".blob." + defaultTo(fields["EndpointSuffix"], "core.windows.net")
	}
	if checkEndpoint(endpoint) != nil {
		return "", errors.New("the endpoint in it is no URL of a server")
	}
	return endpoint, nil
}

func defaultTo(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func checkKey(text string) error {
	if key, err := base64.StdEncoding.DecodeString(text); err != nil || len(key) == 0 {
		return errors.New("no account key in base64")
	}
	return nil
}

// parseSAS reads a shared access signature as the portal shows it, with or
// without the question mark.
func parseSAS(text string) (string, error) {
	text = strings.TrimPrefix(text, "?")
	query, err := url.ParseQuery(text)
	if err != nil || query.Get("sig") == "" {
		return "", errors.New("no shared access signature, of the form sv=...&sig=..., and no account key")
	}
	return query.Encode(), nil
}

// expires is when the shared access signature does; zero: there is none, or
// the time stands in a stored policy.
func (a access) expires() time.Time {
	query, err := url.ParseQuery(a.sas)
	if err != nil {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z", time.DateOnly} {
		if t, err := time.Parse(layout, query.Get("se")); err == nil {
			return t
		}
	}
	return time.Time{}
}
