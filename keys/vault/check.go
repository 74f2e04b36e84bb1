package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"walarchive/keys"
)

var (
	_ keys.Checker = (*KV)(nil)
	_ keys.Checker = (*Transit)(nil)
)

// Check asks the service about the token: every token may ask that about
// itself. It reports the ends of a token that was given, of the client's
// certificate, and of those that the service proves itself by.
func (p *KV) Check(ctx context.Context) ([]keys.Expiry, error) { return p.c.check(ctx, p.String()) }

// Check is as that of KV.
func (p *Transit) Check(ctx context.Context) ([]keys.Expiry, error) {
	return p.c.check(ctx, p.String())
}

func (c *client) check(ctx context.Context, service string) ([]keys.Expiry, error) {
	ends, err := c.clientCertificate()
	if err == nil {
		var token []keys.Expiry
		token, err = c.tokenExpiry(ctx)
		ends = append(ends, token...)
	}
	if c.transport != nil {
		ends = append(ends, keys.CertificateExpiries("certificate of the service", c.transport.chain())...)
	}
	return ends, c.wrap(service, "", err)
}

func (c *client) clientCertificate() ([]keys.Expiry, error) {
	if !c.o.hasCertificate() {
		return nil, nil
	}
	cert, err := c.o.certificate()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	return []keys.Expiry{{What: fmt.Sprintf("client certificate %v", cert.Leaf.Subject), End: cert.Leaf.NotAfter}}, nil
}

// tokenExpiry says when the token ends, if nobody here gets another one then.
func (c *client) tokenExpiry(ctx context.Context) ([]keys.Expiry, error) {
	b, err := c.call(ctx, request{path: "auth/token/lookup-self"})
	if err != nil {
		return nil, err
	}
	life, err := parseTokenLife(b)
	if err != nil || life == 0 || c.o.Auth != AuthToken && c.o.Auth != "" {
		return nil, err
	}
	return []keys.Expiry{{What: "token", End: time.Now().Add(life)}}, nil
}

// parseTokenLife reads how long a token lives on; 0 is for ever.
func parseTokenLife(b []byte) (time.Duration, error) {
	var answer struct {
		Data *struct {
			TTL int64 `json:"ttl"` // seconds; 0 of one without end
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Data == nil || answer.Data.TTL < 0 {
		return 0, fmt.Errorf("%w: the service's answer about the token is none", keys.ErrUnavailable)
	}
	return time.Duration(min(answer.Data.TTL, maxLife)) * time.Second, nil
}
