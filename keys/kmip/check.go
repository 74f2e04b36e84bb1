package kmip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"walarchive/keys"
)

var _ keys.Checker = (*KMIP)(nil)

// Check logs in to every server, not only to the first that answers: the
// others are there for the day when it does not. It reports the ends of the
// client's certificate and of those that the servers prove themselves by.
func (p *KMIP) Check(ctx context.Context) ([]keys.Expiry, error) {
	cert, err := p.o.certificate()
	if err != nil {
		return nil, p.wrap("", fmt.Errorf("%w: %w", keys.ErrUnavailable, err))
	}
	ends := []keys.Expiry{{What: fmt.Sprintf("client certificate %v", cert.Leaf.Subject), End: cert.Leaf.NotAfter}}
	var troubles []error
	for _, to := range p.servers {
		// Agreeing on a version is the first question and its answer.
		err := p.with(ctx, to, func(_ context.Context, s *session) error {
			ends = append(ends, s.expiries(to)...)
			return nil
		})
		if err != nil {
			troubles = append(troubles, fmt.Errorf("%v: %w", to, err))
		}
	}
	if len(troubles) > 0 {
		return ends, p.wrap("", errors.Join(troubles...))
	}
	return ends, nil
}

func (s *session) expiries(to server) []keys.Expiry {
	conn, ok := s.conn.(*tls.Conn)
	if !ok || len(conn.ConnectionState().VerifiedChains) == 0 {
		return nil
	}
	return keys.CertificateExpiries(fmt.Sprintf("certificate of %v,", to), conn.ConnectionState().VerifiedChains[0])
}
