package vault

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"walarchive/keys"
)

// Auth is a way to get a token.
type Auth string

// The ways to get a token. The empty Auth is AuthToken.
const (
	AuthToken      Auth = "token"      // from Token or TokenFile
	AuthAppRole    Auth = "approle"    // for RoleID and the secret id in SecretIDFile
	AuthKubernetes Auth = "kubernetes" // for Role and the service account's token in JWTFile
	AuthCert       Auth = "cert"       // for the TLS certificate Cert; Role may be empty
)

// ServiceAccountToken is where Kubernetes puts the token of a pod's account.
const ServiceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// Options say where an engine is and how to get in. Files are read when they
// are needed, so that they may change.
type Options struct {
	URL       string // https://host:8200; a slash at the end does not count
	Mount     string // of the engine, used as it stands
	Namespace string // may be empty
	CA        string // PEM file; empty: the system's
	Cert, Key string // PEM files of the client's certificate, both or none
	AllowHTTP bool   // also for other hosts than this one

	Auth         Auth
	AuthMount    string // of the auth method; empty: its name
	Token        string
	TokenFile    string // its first line counts, up to white space; empty: no token is sent
	RoleID       string
	SecretIDFile string
	Role         string
	JWTFile      string // empty: ServiceAccountToken

	// Secret stands for the file with the secret of Auth: TokenFile,
	// SecretIDFile, or Key and, if that is empty, Cert.
	Secret keys.Secret
}

// check is what New and NewTransit refuse.
func (o *Options) check() error {
	if err := o.checkURL(); err != nil {
		return err
	}
	for _, path := range []string{o.Mount, o.AuthMount} {
		if err := checkPath(path); err != nil && path != "" {
			return fmt.Errorf("mount %q: %w", path, err)
		}
	}
	for option, path := range map[string]string{
		"ca": o.CA, "cert": o.Cert, "key": o.Key, "token_file": o.TokenFile,
		"secret_id_file": o.SecretIDFile, "jwt_file": o.JWTFile,
	} {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("%s %q is not absolute, and the programs are called from any directory", option, path)
		}
	}
	switch {
	case o.Mount == "":
		return errors.New("mount is not set")
	case (o.Cert == "") != (o.Key == "") && !o.secretKey():
		return errors.New("of cert and key, one is not set")
	case strings.ContainsFunc(o.Namespace, unprintable):
		return fmt.Errorf("namespace %q is none", o.Namespace)
	}
	return o.checkAuth()
}

func (o *Options) checkURL() error {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("url is not one such as https://host:8200")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("url must be of host, port and path only, without a user or a query")
	}
	if u.Scheme == "http" && !o.AllowHTTP && !isLoopback(u.Hostname()) {
		return fmt.Errorf("url %s would send keys and token in plaintext; it must begin with https", o.URL)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secretKey reports whether the client's private key comes from Secret.
func (o *Options) secretKey() bool { return o.Auth == AuthCert && o.Secret != nil }

func (o *Options) checkAuth() error {
	if err := o.checkSecret(); err != nil {
		return err
	}
	needed := map[string]string{}
	switch o.Auth {
	case AuthToken, "":
		if o.Secret == nil && (o.Token == "") == (o.TokenFile == "") {
			return errors.New("one of token_file, token and credential_file must be set")
		}
		if strings.ContainsFunc(o.Token, unprintable) {
			return errors.New("token is none: it has unprintable characters")
		}
	case AuthAppRole:
		needed["role_id"] = o.RoleID
		if o.Secret == nil {
			needed["secret_id_file"] = o.SecretIDFile
		}
	case AuthKubernetes:
		needed["role"] = o.Role
	case AuthCert:
		if o.Secret == nil {
			needed["cert"] = o.Cert
		}
	default:
		return fmt.Errorf("auth %q is none of: token, approle, kubernetes, cert", o.Auth)
	}
	for _, name := range []string{"role_id", "secret_id_file", "role", "cert"} {
		if value, ok := needed[name]; ok && value == "" {
			return fmt.Errorf("auth %q needs %s", o.Auth, name)
		}
	}
	if (o.Auth != AuthToken && o.Auth != "") && (o.Token != "" || o.TokenFile != "") {
		return fmt.Errorf("auth %q takes no token", o.Auth)
	}
	return nil
}

// checkSecret refuses a secret from two places, and one for a way to log in
// that has none.
func (o *Options) checkSecret() error {
	file := map[Auth]string{AuthToken: o.Token + o.TokenFile, "": o.Token + o.TokenFile, AuthAppRole: o.SecretIDFile, AuthCert: o.Key}[o.Auth]
	switch {
	case o.Secret == nil:
		return nil
	case o.Auth == AuthKubernetes:
		return errors.New("auth \"kubernetes\" has no secret for a credential_file: the pod's token is its own")
	case file != "":
		return errors.New("the secret must come from one place: credential_file or an option of its own")
	}
	return nil
}

// checkPath refuses what libcurl, by which pg_tde asks, refuses or alters.
func checkPath(path string) error {
	if strings.ContainsFunc(path, unprintable) {
		return errors.New("it has white space or unprintable characters")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("it has the segment . or .. in it")
		}
	}
	return nil
}

func unprintable(r rune) bool { return r <= ' ' || r == 0x7F }
