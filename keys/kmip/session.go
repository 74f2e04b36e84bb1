package kmip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	"walarchive/keys"
)

// Limits of a call to one server.
const (
	connectTimeout = 3 * time.Second // with the TLS handshake
	callTimeout    = 10 * time.Second
)

// session is a connection to one server. It is not the library's: that one
// sends a request again when the connection breaks, which must not happen to a
// Register, and decodes where no one can take a panic.
type session struct {
	conn    net.Conn
	version kmip.ProtocolVersion
	stop    func() bool
}

// tlsConfig reads the files of o.
func (o *Options) tlsConfig(host string) (*tls.Config, error) {
	text, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no PEM certificate", o.CA)
	}
	cert, err := o.certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   host,
		RootCAs:      roots,
		Certificates: []tls.Certificate{cert},
	}, nil
}

// certificate reads the client's certificate and key.
func (o *Options) certificate() (tls.Certificate, error) {
	if o.Secret == nil {
		cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return cert, fmt.Errorf("certificate %s: %w", o.Cert, err)
		}
		return cert, nil
	}
	key, err := o.Secret()
	defer clear(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	certs := key
	if o.Cert != "" {
		if certs, err = os.ReadFile(o.Cert); err != nil {
			return tls.Certificate{}, err
		}
	}
	cert, err := tls.X509KeyPair(certs, key)
	if err != nil {
		return cert, fmt.Errorf("certificate and key of the credential: %w", err)
	}
	return cert, nil
}

// dial connects and agrees on a version. What the session does ends with ctx.
func (p *KMIP) dial(ctx context.Context, to server) (*session, error) {
	config, err := p.o.tlsConfig(to.host)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrUnavailable, err)
	}
	connecting, cancel := context.WithTimeout(ctx, p.connectTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(connecting, "tcp", to.String())
	if err != nil {
		if connecting.Err() != nil {
			err = fmt.Errorf("no connection within %v", p.connectTimeout)
		}
		return nil, unreachable(err)
	}
	s := &session{conn: conn}
	s.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	if err := s.negotiate(p.versions); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	s.stop()
	_ = s.conn.Close() // nothing that was sent is left to be lost
}

// negotiate finds the best of ours that the server knows. Of one version there
// is nothing to negotiate.
func (s *session) negotiate(ours []kmip.ProtocolVersion) error {
	if len(ours) == 1 {
		s.version = ours[0]
		return nil
	}
	s.version = kmip.V1_1 // the first to have this operation
	answer, err := ask[*payloads.DiscoverVersionsResponsePayload](s, &payloads.DiscoverVersionsRequestPayload{ProtocolVersion: ours})
	if unknownOperation(err) {
		s.version = kmip.V1_0
		return nil
	}
	if err != nil {
		return err
	}
	for _, v := range ours {
		if slices.Contains(answer.ProtocolVersion, v) {
			s.version = v
			return nil
		}
	}
	return fmt.Errorf("%w: the service has none of the versions 1.0 to 1.4", keys.ErrUnavailable)
}

// ask sends a request and gives the payload of its answer, which is a failure
// unless it is success.
func ask[Answer kmip.OperationPayload](s *session, payload kmip.OperationPayload) (Answer, error) {
	var none Answer
	m := message(s.version, time.Now().Truncate(time.Second), payload)
	request := ttlv.MarshalTTLV(&m)
	defer clear(request)
	if _, err := s.conn.Write(request); err != nil {
		return none, unreachable(err)
	}
	b, err := readAnswer(s.conn)
	if err != nil {
		return none, unreachable(err)
	}
	defer clear(b)
	item, err := parseAnswer(b)
	if err != nil {
		return none, unreachable(err)
	}
	if item.ResultStatus != kmip.ResultStatusSuccess {
		return none, refused(payload.Operation(), item)
	}
	answer, ok := item.ResponsePayload.(Answer)
	if !ok {
		return none, unreachable(fmt.Errorf("%w: it is one to another question", errBroken))
	}
	return answer, nil
}
