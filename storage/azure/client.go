package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// newClient makes a client of the SDK that tries once.
func newClient(o Options, a access) (*container.Client, error) {
	connections, err := newHTTPClient(o)
	if err != nil {
		return nil, err
	}
	options := &container.ClientOptions{ClientOptions: once(&transport{connections, a.sas})}
	options.ExpectContinueBehavior.Mode = blob.ExpectContinueModeOff
	place := a.endpoint + "/" + o.Container
	switch {
	case a.key != "":
		key, err := container.NewSharedKeyCredential(a.account, a.key)
		if err != nil {
			return nil, errors.New("the account key is not usable") // err could quote it
		}
		return container.NewClientWithSharedKeyCredential(place, key, options)
	case a.sas != "":
		return container.NewClientWithNoCredential(place, options)
	}
	chain, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: once(connections)})
	if err != nil {
		return nil, storage.Classify(fmt.Errorf("credentials of Azure: %w", err), storage.ErrInvalid, "look at AZURE_* in the environment")
	}
	return container.NewClient(place, credential{chain}, options)
}

// once are options of a client that tries once.
func once(t policy.Transporter) azcore.ClientOptions {
	return azcore.ClientOptions{Transport: t, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// newHTTPClient follows no redirect: the service has none, portals have.
func newHTTPClient(o Options) (*http.Client, error) {
	t, err := remote.Transport(o.CAFile, o.ConnectTimeout)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t, CheckRedirect: remote.Stay}, nil
}

// A transport sends the SDK's requests. It adds the shared access signature,
// so that the SDK, its log and its errors never see it, and lets answers
// through only if they are the service's and cannot fill the memory.
type transport struct {
	client *http.Client
	sas    string // a query; empty: none
}

func (t *transport) Do(r *http.Request) (*http.Response, error) {
	answer, err := t.client.Do(t.signed(r))
	if err != nil {
		var sent *url.Error // it has the whole URL
		if errors.As(err, &sent) {
			err = sent.Err
		}
		return nil, err
	}
	answer.Request = r
	if answer.Header.Get("X-Ms-Request-Id") == "" {
		return nil, errors.Join(remote.Wrong(fmt.Sprintf("no answer of Azure (status %d)", answer.StatusCode)), answer.Body.Close())
	}
	object := r.Method == http.MethodGet && r.URL.Query().Get("comp") == "" && answer.StatusCode < 300
	if !object {
		answer.Body = remote.Document(answer.Body)
	}
	return answer, nil
}

// signed is r with the shared access signature.
func (t *transport) signed(r *http.Request) *http.Request {
	if t.sas == "" {
		return r
	}
	r = r.Clone(r.Context())
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	r.URL.RawQuery += t.sas
	return r
}

// credential marks the errors of the SDK's chain, which would otherwise look
// like those of a request.
type credential struct{ next azcore.TokenCredential }

func (c credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.next.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, &remote.CredentialsError{Err: err}
	}
	return token, nil
}
