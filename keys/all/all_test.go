package all

import (
	"slices"
	"strings"
	"testing"

	"walarchive/keys"
)

func TestOpen(t *testing.T) {
	tests := []struct {
		name    string
		options map[string]string
		err     string // empty: opens
	}{
		{"file", map[string]string{"type": "file", "path": "/keyring"}, ""},
		{"no type", map[string]string{"path": "/keyring"}, `type "" is none of: file`},
		{"unknown type", map[string]string{"type": "disk"}, `type "disk" is none of: file`},
		{"file without path", map[string]string{"type": "file"}, "path is not set"},
		{"file with relative path", map[string]string{"type": "file", "path": "keyring"}, "not absolute"},
		{"vault", map[string]string{"type": "vault", "url": "https://v", "mount": "m", "token_file": "/t", "ca": "/c", "namespace": "n"}, ""},
		{"vault without url", map[string]string{"type": "vault", "mount": "m", "token_file": "/t"}, "url is not one"},
		{"vault with a slip", map[string]string{"type": "vault", "url": "https://v", "mount": "m", "tokenfile": "/t"}, "unknown option tokenfile"},
		{"vault in plaintext", map[string]string{"type": "vault", "url": "http://v", "mount": "m", "token_file": "/t"}, "plaintext"},
		{"vault in plaintext on purpose", map[string]string{"type": "vault", "url": "http://v", "mount": "m", "token_file": "/t", "plaintext": "allowed"}, ""},
		{"vault, plaintext perhaps", map[string]string{"type": "vault", "url": "http://v", "mount": "m", "token_file": "/t", "plaintext": "yes"}, `plaintext "yes" is not`},
		{"transit", map[string]string{"type": "transit", "url": "https://v", "mount": "m", "auth": "approle", "role_id": "r", "secret_id_file": "/s"}, ""},
		{"transit without mount", map[string]string{"type": "transit", "url": "https://v", "token_file": "/t"}, "mount is not set"},
		{"kmip", map[string]string{"type": "kmip", "host": "a,b:2", "ca": "/c", "cert": "/c", "key": "/k"}, ""},
		{"kmip without key", map[string]string{"type": "kmip", "host": "a", "port": "1", "ca": "/c", "cert": "/c"}, "key is not set"},
		{"kmip with a slip", map[string]string{"type": "kmip", "hosts": "a", "ca": "/c", "cert": "/c", "key": "/k"}, "unknown option hosts"},
		{"unknown option", map[string]string{"type": "file", "path": "/keyring", "mode": "x"}, "unknown option mode"},
		{"vault with a credential", map[string]string{"type": "vault", "url": "https://v", "mount": "m", "credential_file": "/c"}, ""},
		{"vault with two secrets", map[string]string{"type": "vault", "url": "https://v", "mount": "m", "credential_file": "/c", "token_file": "/t"}, "from one place"},
		{"approle with a credential", map[string]string{"type": "transit", "url": "https://v", "mount": "m", "auth": "approle", "role_id": "r", "credential_file": "/c"}, ""},
		{"certificate with a credential", map[string]string{"type": "transit", "url": "https://v", "mount": "m", "auth": "cert", "cert": "/p", "credential_file": "/c"}, ""},
		{"certificate with two keys", map[string]string{"type": "transit", "url": "https://v", "mount": "m", "auth": "cert", "cert": "/p", "key": "/k", "credential_file": "/c"}, "from one place"},
		{"kubernetes with a credential", map[string]string{"type": "vault", "url": "https://v", "mount": "m", "auth": "kubernetes", "role": "r", "credential_file": "/c"}, "has no secret"},
		{"kmip with a credential", map[string]string{"type": "kmip", "host": "a", "ca": "/c", "credential_file": "/s"}, ""},
		{"kmip with two keys", map[string]string{"type": "kmip", "host": "a", "ca": "/c", "cert": "/c", "key": "/k", "credential_file": "/s"}, "from one place"},
		{"file with a credential", map[string]string{"type": "file", "path": "/keyring", "credential_file": "/c"}, "has no credential_file"},
		{"credential by a relative path", map[string]string{"type": "kmip", "host": "a", "ca": "/c", "credential_file": "s"}, "not absolute"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(tt.options, noSecret)
			switch {
			case tt.err == "" && (err != nil || p == nil):
				t.Errorf("got %v, %v, want a provider", p, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got error %v, want one with %q", err, tt.err)
			}
		})
	}
}

// What variables of the environment are named after.
func TestOptionNames(t *testing.T) {
	names := OptionNames()
	for _, want := range []string{"type", "path", "url", "token_file", "auth_mount", "host", "port"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %v", want, names)
		}
	}
}

// Opening must not forget the type in the caller's options.
func TestOpenLeavesOptionsAlone(t *testing.T) {
	options := map[string]string{"type": "file", "path": "/keyring"}
	if _, err := Open(options, nil); err != nil {
		t.Fatal(err)
	}
	if len(options) != 2 {
		t.Errorf("options are %v now", options)
	}
}

func noSecret() ([]byte, error) { return nil, keys.ErrUnavailable }
