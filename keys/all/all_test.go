package all

import (
	"slices"
	"strings"
	"testing"
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
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(tt.options)
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
	if _, err := Open(options); err != nil {
		t.Fatal(err)
	}
	if len(options) != 2 {
		t.Errorf("options are %v now", options)
	}
}
