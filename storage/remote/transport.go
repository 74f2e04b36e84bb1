package remote

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"walarchive/storage"
)

// Transport connects to a store. It trusts the certificates in caFile (PEM;
// empty: none) beside the system's, and gives TCP and TLS the time connect,
// each; a request has no other limit. Content comes as the store has it, with
// its length.
func Transport(caFile string, connect time.Duration) (*http.Transport, error) {
	roots, err := Roots(caFile)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy:              http.ProxyFromEnvironment,
		DialContext:        (&net.Dialer{Timeout: connect}).DialContext,
		TLSClientConfig:    new(tls.Config),
		DisableCompression: true,
	}
	Tune(t, roots, connect)
	return t, nil
}

// Tune sets what a transport of a client library's making, which has a
// TLSClientConfig, must have in common with those of Transport. It is for
// HTTP/1.1: what moves WAL wants a connection for each request rather than
// one for all.
func Tune(t *http.Transport, roots *x509.CertPool, connect time.Duration) {
	t.TLSClientConfig.RootCAs = roots
	t.TLSHandshakeTimeout = connect
	t.MaxIdleConnsPerHost = 64
	t.ReadBufferSize, t.WriteBufferSize = 64<<10, 64<<10
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
}

// Roots is the system's certificates and those in caFile; nil without a file.
func Roots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, storage.Classify(fmt.Errorf("CA file: %w", err), storage.ErrInvalid, "")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("certificates of the system: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, Invalid("CA file %s has no certificate in PEM", caFile)
	}
	return roots, nil
}

// Stay is a CheckRedirect that follows no redirect: the answer is the redirect.
func Stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// MaxDocument bounds what is read into memory of one answer, in bytes. A page
// of a list, 1000 objects with names of 1 KiB, is at most half of it.
const MaxDocument = 4 << 20

// Document is the body of an answer that a client library reads as a whole:
// it ends after MaxDocument bytes.
func Document(body io.ReadCloser) io.ReadCloser {
	return document{io.LimitReader(body, MaxDocument), body}
}

type document struct {
	io.Reader
	io.Closer
}
