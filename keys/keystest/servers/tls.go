//go:build integration || cosmian

package servers

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"

	"walarchive/keys/keystest/kmiptest"
)

// shakeHands connects as client to the port of this host.
func shakeHands(authority *kmiptest.Authority, client kmiptest.Pair, port string) error {
	ca, err := os.ReadFile(authority.File)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	cert, err := tls.LoadX509KeyPair(client.Cert, client.Key)
	if err != nil {
		return err
	}
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", port), &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}})
	if err != nil {
		return err
	}
	return conn.Close()
}
