package all

import (
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
