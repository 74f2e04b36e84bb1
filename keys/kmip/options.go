package kmip

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"walarchive/keys"
)

// DefaultPort is the port that IANA has assigned to KMIP.
const DefaultPort = "5696"

// Options say where a service is and how to get in. Files are read for every
// call, so that certificates may be renewed.
type Options struct {
	Host      string // or several with commas between, each with a port of its own if it likes
	Port      string // empty: DefaultPort
	CA        string // PEM file
	Cert, Key string // PEM files of the client's certificate, and chain, and its unencrypted key

	// Secret stands for Key and, if that is empty, Cert.
	Secret keys.Secret
}

// server is one address of a service.
type server struct {
	host, port string
}

func (s server) String() string { return net.JoinHostPort(s.host, s.port) }

// servers checks the options and splits their hosts.
func (o *Options) servers() ([]server, error) {
	if o.Secret != nil && o.Key != "" {
		return nil, errors.New("the client's key must come from one place: credential_file or key")
	}
	for _, f := range []struct{ option, path string }{{"ca", o.CA}, {"cert", o.Cert}, {"key", o.Key}} {
		if f.path == "" && o.Secret != nil && f.option != "ca" {
			continue
		}
		if f.path == "" {
			return nil, fmt.Errorf("%s is not set", f.option)
		}
		if !filepath.IsAbs(f.path) {
			return nil, fmt.Errorf("%s %q is not absolute, and the programs are called from any directory", f.option, f.path)
		}
	}
	if o.Host == "" {
		return nil, errors.New("host is not set")
	}
	var all []server
	for entry := range strings.SplitSeq(o.Host, ",") {
		s, err := parseServer(strings.TrimSpace(entry), o.Port)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// parseServer reads a host name, an IP address, or either of them with a port:
// "kms", "::1", "kms:5696", "[::1]:5696".
func parseServer(text, port string) (server, error) {
	if port == "" {
		port = DefaultPort
	}
	s := server{text, port}
	if strings.Contains(text, ":") && net.ParseIP(text) == nil {
		var err error
		if s.host, s.port, err = net.SplitHostPort(text); err != nil {
			return s, fmt.Errorf("host %q is none, nor host:port", text)
		}
	}
	if s.host == "" || strings.ContainsFunc(s.host, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7F }) {
		return s, fmt.Errorf("host %q is none", text)
	}
	if n, err := strconv.ParseUint(s.port, 10, 16); err != nil || n == 0 {
		return s, fmt.Errorf("port %q is none", s.port)
	}
	return s, nil
}
