package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Limits of a call; pg_tde has the same times.
const (
	connectTimeout = 3 * time.Second
	callTimeout    = 10 * time.Second
	maxAnswer      = 1 << 20 // bytes
)

// newTransport reads the CA file. The client's certificate is read whenever a
// server asks for it: such certificates are renewed often.
func newTransport(o Options) (*whole, error) {
	roots, err := readRoots(o.CA)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if o.hasCertificate() {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return o.certificate()
		}
	}
	return &whole{next: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConns:        4,
		IdleConnTimeout:     time.Minute,
	}}, nil
}

func (o *Options) hasCertificate() bool { return o.Cert != "" || o.secretKey() }

// certificate reads the client's certificate and key.
func (o *Options) certificate() (*tls.Certificate, error) {
	if !o.secretKey() {
		c, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		return &c, err
	}
	key, err := o.Secret()
	defer clear(key)
	if err != nil {
		return nil, err
	}
	certs := key
	if o.Cert != "" {
		if certs, err = os.ReadFile(o.Cert); err != nil {
			return nil, err
		}
	}
	c, err := tls.X509KeyPair(certs, key)
	return &c, err
}

// readRoots reads a file of CA certificates; no name means the system's.
func readRoots(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no PEM certificate", name)
	}
	return roots, nil
}

// whole reads answers to their end before it hands them on. So they are
// bounded, a broken connection shows as such, and they outlive the context of
// their request, which the library ends early.
type whole struct {
	next http.RoundTripper

	mu     sync.Mutex
	server []*x509.Certificate // the chain that the service last proved itself by
}

func (w *whole) note(state *tls.ConnectionState) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = state.VerifiedChains[0]
}

func (w *whole) chain() []*x509.Certificate {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.server
}

var errTooLong = errors.New("the answer is longer than 1 MiB")

func (w *whole) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	w.note(resp.TLS)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errTooLong
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// once is a lock that can be waited for with a context.
type once chan struct{}

func newOnce() once { return make(once, 1) }

func (o once) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case o <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o once) unlock() { <-o }
