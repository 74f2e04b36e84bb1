package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"

	"walarchive/keys"
)

// maxURL is where pg_tde cuts an address off, in bytes.
const maxURL = 511

// client talks to one server.
type client struct {
	o      Options
	tokens tokens

	opening   once
	api       *api.Client // nil before the first request
	transport *whole
}

func newClient(o Options) (*client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.URL = strings.TrimRight(o.URL, "/")
	return &client{o: o, tokens: newTokens(&o), opening: newOnce()}, nil
}

// request is one question to the service.
type request struct {
	path    string   // behind /v1/, as it stands
	cut     bool     // as pg_tde cuts long addresses, rather than refuse them
	body    any      // to PUT as JSON; nil: GET
	secrets []string // in the body
}

// call asks with the token there is, and once more if that is refused and
// another is to be had. It gives the body of the answer.
func (c *client) call(caller context.Context, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(caller, callTimeout)
	defer cancel()
	b, err := c.try(ctx, r)
	if err != nil && caller.Err() != nil {
		return nil, caller.Err()
	}
	return b, err
}

func (c *client) try(ctx context.Context, r request) ([]byte, error) {
	token, err := c.tokens.current(ctx, c)
	if err != nil {
		return nil, err
	}
	b, err := c.ask(ctx, token, r)
	if !errors.Is(err, keys.ErrPermission) {
		return b, err
	}
	other, again := c.tokens.instead(ctx, c, token)
	if again != nil || other == token {
		return nil, errors.Join(err, again)
	}
	return c.ask(ctx, other, r)
}

// ask makes one request.
func (c *client) ask(ctx context.Context, token string, r request) ([]byte, error) {
	u, err := c.address(r)
	if err != nil {
		return nil, err
	}
	a, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		return nil, err
	}
	// Set here and not before, since the library tidies paths up.
	a = a.WithRequestCallbacks(func(req *api.Request) {
		req.URL, req.Params, req.ClientToken = u, u.Query(), token
		if r.body != nil {
			req.Obj = json.RawMessage(body) // from which a redirect makes the body again
		}
	})
	var resp *api.Response
	if r.body == nil {
		resp, err = a.Logical().ReadRawWithContext(ctx, "")
	} else {
		resp, err = a.Logical().WriteRawWithContext(ctx, "", body)
	}
	if resp != nil {
		defer resp.Body.Close()
	}
	return answer(ctx, resp, err, append(r.secrets, token))
}

// answer takes apart what the library makes of an answer.
func answer(ctx context.Context, resp *api.Response, err error, secrets []string) ([]byte, error) {
	var no *api.ResponseError
	switch {
	case errors.As(err, &no):
		b := body(resp)
		return b, refused(no, b, secrets)
	case err != nil:
		return nil, unreachable(ctx, err)
	case resp.StatusCode/100 != 2:
		return nil, &failure{kind: keys.ErrUnavailable, status: resp.StatusCode}
	}
	return body(resp), nil
}

// body is what the transport has read already.
func body(resp *api.Response) []byte {
	if resp == nil {
		return nil
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return b
}

// address is where r goes.
func (c *client) address(r request) (*url.URL, error) {
	text := c.o.URL + "/v1/" + r.path
	if len(text) > maxURL {
		if !r.cut {
			return nil, fmt.Errorf("%w: the address for it has %d bytes, of which pg_tde would use %d", keys.ErrName, len(text), maxURL)
		}
		text = text[:maxURL]
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: there is no address for it", keys.ErrName)
	}
	return u, nil
}

// open makes the library's client. It takes its settings from us alone: what
// the library reads from the environment is overwritten.
func (c *client) open(ctx context.Context) (*api.Client, error) {
	if err := c.opening.lock(ctx); err != nil {
		return nil, unreachable(ctx, err)
	}
	defer c.opening.unlock()
	if c.api != nil {
		return c.api, nil
	}
	transport, err := newTransport(c.o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	a, err := api.NewClient(&api.Config{
		Address:    c.o.URL,
		HttpClient: &http.Client{Transport: transport, CheckRedirect: lastResponse},
		CheckRetry: neverRetry,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: variables VAULT_… of the environment are not what Vault's own library takes", keys.ErrUnavailable)
	}
	a.ClearToken()
	a.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	if c.o.Namespace != "" {
		a.SetNamespace(c.o.Namespace)
	}
	a.SetWrappingLookupFunc(func(string, string) string { return "" })
	c.api, c.transport = a, transport
	return a, nil
}

// lastResponse leaves redirects to the library, which follows one.
func lastResponse(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func neverRetry(context.Context, *http.Response, error) (bool, error) { return false, nil }

// wrap puts the key and the service into an error.
func (c *client) wrap(service, name string, err error) error {
	if err == nil {
		return nil
	}
	return &keys.Error{Provider: service, Key: name, Err: err, Advice: advice(err, &c.o)}
}

// checkName refuses what cannot be a key's name in an address.
func checkName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: it is empty", keys.ErrName)
	}
	if err := checkPath(name); err != nil {
		return fmt.Errorf("%w: %w", keys.ErrName, err)
	}
	return nil
}
