package kmip

import (
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	tests := []struct {
		name, host, port string
		want             string // what the provider calls itself, or its error
	}{
		{"name", "kms", "", "KMIP kms:5696"},
		{"name and port", "kms", "5697", "KMIP kms:5697"},
		{"address", "192.0.2.1", "1", "KMIP 192.0.2.1:1"},
		{"IPv6", "2001:db8::1", "1", "KMIP [2001:db8::1]:1"},
		{"several", "a, b:2,[::1]:3", "1", "KMIP a:1, b:2, [::1]:3"},
		{"none", "", "1", "host is not set"},
		{"one of none", "a,,b", "1", `host "" is none`},
		{"URL", "https://kms", "1", "is none"},
		{"white space", "a b", "1", "is none"},
		{"port of letters", "a", "kmip", `port "kmip" is none`},
		{"port 0", "a:0", "1", `port "0" is none`},
		{"port too high", "a", "65536", "is none"},
		{"brackets only", "[::1", "1", "nor host:port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(Options{Host: tt.host, Port: tt.port, CA: "/ca", Cert: "/cert", Key: "/key"})
			switch {
			case err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("got error %v, want %q", err, tt.want)
			case err == nil && p.String() != tt.want:
				t.Errorf("got %s, want %s", p, tt.want)
			}
		})
	}
	for name, o := range map[string]Options{
		"ca is not set":       {Host: "h", Cert: "/c", Key: "/k"},
		"cert is not set":     {Host: "h", CA: "/c", Key: "/k"},
		"key is not set":      {Host: "h", CA: "/c", Cert: "/c"},
		"ca \"c\" is not abs": {Host: "h", CA: "c", Cert: "/c", Key: "/k"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}
