package gcs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	sdk "cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"walarchive/storage/remote"
)

// newClient makes a client of the SDK that tries once, says nothing, follows
// no redirect (the API has none, portals have) and obeys no variable of the
// environment but those of the credentials. It gets its connection ready made:
// with one of the SDK's making there would be no place for limits and for a CA
// file.
func newClient(ctx context.Context, o Options) (*sdk.Client, error) {
	transport, err := remote.Transport(o.CAFile, o.ConnectTimeout)
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
			return nil, classifyCredentials(&remote.CredentialsError{Err: err})
		}
	}
	client, err := sdk.NewClient(ctx,
		option.WithHTTPClient(&http.Client{Transport: connection, CheckRedirect: remote.Stay}),
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
		return nil, errors.Join(&remote.CredentialsError{Err: err}, closeBody(r))
	}
	project, err := a.credentials.QuotaProjectID(r.Context())
	if err != nil {
		return nil, errors.Join(&remote.CredentialsError{Err: err}, closeBody(r))
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
