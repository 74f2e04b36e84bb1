package vault

import (
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Options)
		err  string // empty: accepted
	}{
		{"as they are", func(*Options) {}, ""},
		{"agent on this host", func(o *Options) { o.URL = "http://127.0.0.1:8100" }, ""},
		{"agent by name", func(o *Options) { o.URL = "http://localhost:8100" }, ""},
		{"plaintext", func(o *Options) { o.URL = "http://vault:8200" }, "plaintext"},
		{"plaintext allowed", func(o *Options) { o.URL, o.AllowHTTP = "http://vault:8200", true }, ""},
		{"no URL", func(o *Options) { o.URL = "" }, "url is not one"},
		{"no scheme", func(o *Options) { o.URL = "vault:8200" }, "url is not one"},
		{"other scheme", func(o *Options) { o.URL = "unix:///run/vault" }, "url is not one"},
		{"password in URL", func(o *Options) { o.URL = "https://u:planted@vault" }, "without a user"},
		{"query in URL", func(o *Options) { o.URL = "https://vault?token=planted" }, "without a user or a query"},
		{"no mount", func(o *Options) { o.Mount = "" }, "mount is not set"},
		{"mount with space", func(o *Options) { o.Mount = "a b" }, "white space"},
		{"mount that climbs", func(o *Options) { o.Mount = "a/../sys" }, "segment"},
		{"namespace with newline", func(o *Options) { o.Namespace = "a\nb" }, "namespace"},
		{"relative CA", func(o *Options) { o.CA = "ca.pem" }, "not absolute"},
		{"certificate without key", func(o *Options) { o.Cert = "/c" }, "one is not set"},
		{"no token", func(o *Options) { o.TokenFile = "" }, "one of token_file, token and credential_file"},
		{"both tokens", func(o *Options) { o.Token = "planted" }, "one of token_file, token and credential_file"},
		{"token", func(o *Options) { o.TokenFile, o.Token = "", "planted" }, ""},
		{"unprintable token", func(o *Options) { o.TokenFile, o.Token = "", "planted\n" }, "unprintable"},
		{"unknown auth", func(o *Options) { o.Auth = "ldap" }, `"ldap" is none of`},
		{"approle with token", func(o *Options) { o.Auth, o.RoleID, o.SecretIDFile = AuthAppRole, "r", "/s" }, "takes no token"},
		{"approle", func(o *Options) { o.TokenFile, o.Auth, o.RoleID, o.SecretIDFile = "", AuthAppRole, "r", "/s" }, ""},
		{"approle without role", func(o *Options) { o.TokenFile, o.Auth, o.SecretIDFile = "", AuthAppRole, "/s" }, "needs role_id"},
		{"approle without secret", func(o *Options) { o.TokenFile, o.Auth, o.RoleID = "", AuthAppRole, "r" }, "needs secret_id_file"},
		{"kubernetes", func(o *Options) { o.TokenFile, o.Auth, o.Role = "", AuthKubernetes, "r" }, ""},
		{"kubernetes without role", func(o *Options) { o.TokenFile, o.Auth = "", AuthKubernetes }, "needs role"},
		{"certificate", func(o *Options) { o.TokenFile, o.Auth, o.Cert, o.Key = "", AuthCert, "/c", "/k" }, ""},
		{"certificate missing", func(o *Options) { o.TokenFile, o.Auth = "", AuthCert }, "needs cert"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{URL: "https://vault:8200", Mount: "secret", TokenFile: "/token"}
			tt.edit(&o)
			_, err := New(o)
			switch {
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %v, want an error with %q", err, tt.err)
			case err != nil && strings.Contains(err.Error(), "planted"):
				t.Errorf("shows a secret: %v", err)
			}
		})
	}
}
