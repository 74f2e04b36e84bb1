package gcs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	sdk "cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"walarchive/storage"
)

// newClient makes a client of the SDK that tries once, says nothing and obeys
// no variable of the environment but those of the credentials. It gets its
// connection ready made: with one of the SDK's making there would be no place
// for limits and for a CA file.
func newClient(ctx context.Context, o Options) (*sdk.Client, error) {
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, err
	}
	connection := guard{next: transport, endpoint: endpoint}
	if !o.Anonymous {
		if connection.next, err = authorize(transport); err != nil {
			return nil, classifyCredentials(&credentialsError{err})
		}
	}
	client, err := sdk.NewClient(ctx,
		option.WithHTTPClient(&http.Client{Transport: connection, CheckRedirect: stay}),
		option.WithEndpoint(o.Endpoint+"/storage/v1/"),
		option.WithoutAuthentication(), // authorize does that
		option.WithLogger(slog.New(slog.DiscardHandler)),
		sdk.WithJSONReads(),
	)
	if err != nil {
		return nil, fmt.Errorf("client of Cloud Storage: %w", err)
	}
	// RetryNever would leave the pieces of a resumable session to be repeated.
	client.SetRetry(sdk.WithPolicy(sdk.RetryAlways), sdk.WithErrorFunc(never))
	return client, nil
}

func never(error) bool { return false }

// stay follows no redirect: the API has none, portals have.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// newTransport is for HTTP/1.1: what moves WAL wants a connection for each
// request rather than one for all.
func newTransport(o Options) (*http.Transport, error) {
	roots, err := trusted(o.CAFile)
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: o.ConnectTimeout}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout: o.ConnectTimeout,
		MaxIdleConnsPerHost: 64,
		ReadBufferSize:      64 << 10,
		WriteBufferSize:     64 << 10,
		DisableCompression:  true, // content comes as it is, with its length
		Protocols:           protocols,
	}, nil
}

// trusted is the system's certificates and those in file; nil without a file.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, storage.Classify(fmt.Errorf("CA file: %w", err), storage.ErrInvalid, "")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("certificates of the system: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, invalid("CA file %s has no certificate in PEM", file)
	}
	return roots, nil
}

// authorize finds the default credentials and adds them to each request.
func authorize(next http.RoundTripper) (http.RoundTripper, error) {
	found, err := credentials.DetectDefault(&credentials.DetectOptions{
		Scopes: []string{sdk.ScopeReadWrite},
		Client: &http.Client{Transport: next},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return authorized{found, next}, nil
}

// authorized sends requests with credentials.
type authorized struct {
	credentials *auth.Credentials
	next        http.RoundTripper
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := a.credentials.Token(r.Context())
	if err != nil {
		return nil, errors.Join(&credentialsError{err}, closeBody(r))
	}
	project, err := a.credentials.QuotaProjectID(r.Context())
	if err != nil {
		return nil, errors.Join(&credentialsError{err}, closeBody(r))
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token.Value)
	if project != "" {
		r.Header.Set("X-Goog-User-Project", project)
	}
	return a.next.RoundTrip(r)
}

// closeBody closes the body of a request that is not sent.
func closeBody(r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	return r.Body.Close()
}

// credentialsError keeps errors of the credentials apart from those of the
// store.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "no credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }
