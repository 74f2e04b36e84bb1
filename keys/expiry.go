package keys

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// Expiry is when something that a provider needs comes to an end.
type Expiry struct {
	What string // for people, such as "client certificate CN=wal"
	End  time.Time
}

// CertificateExpiries say when each of certs ends; what tells whose they are.
func CertificateExpiries(what string, certs []*x509.Certificate) []Expiry {
	var all []Expiry
	for _, c := range certs {
		all = append(all, Expiry{fmt.Sprintf("%s %v", what, c.Subject), c.NotAfter})
	}
	return all
}

// ParseCertificates reads the certificates of a PEM text and passes over what
// else is in it.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	return certs, nil
}
