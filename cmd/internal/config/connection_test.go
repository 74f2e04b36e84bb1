package config

import (
	"strings"
	"testing"
)

func TestConnectionFile(t *testing.T) {
	const kmip = "type = \"kmip\"\nhost = \"kms.example.com\"\nca = \"/etc/ca.pem\"\n"
	tests := []struct {
		name   string
		shared string // empty: no such file
		own    string // options in the configuration itself
		err    string // empty: loads
	}{
		{"all of it", kmip, "credential_file = \"/etc/c\"", ""},
		{"own options win", kmip, "credential_file = \"/etc/c\"\nhost = \"other.example.com\"", ""},
		{"a secret", kmip + "token = \"planted-token\"\n", "", "token is a secret"},
		{"another file", kmip + "connection_file = \"/x\"\n", "", "names another connection file"},
		{"no text", kmip + "port = 5696\n", "", "port wants a text in quotes"},
		{"no TOML", "type = kmip", "", ":1: "},
		{"unknown option", kmip + "hots = \"x\"\n", "", "unknown option hots"},
		{"not there", "", "", "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := "/nowhere/shared.toml"
			if tt.shared != "" {
				path = write(t, tt.shared)
			}
			c, err := Load(Sources{File: write(t, "[keys.providers.kms]\nconnection_file = \""+path+"\"\n"+tt.own)})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "planted") {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := c.Keys.Providers["kms"]
			want := "kms.example.com"
			if strings.Contains(tt.own, "other") {
				want = "other.example.com"
			}
			if got["host"] != want || got["type"] != "kmip" || got["credential_file"] != "/etc/c" || got["connection_file"] != "" {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestConnectionFileFromEnvironment(t *testing.T) {
	path := write(t, "type = \"kmip\"\nhost = \"kms.example.com\"\nca = \"/etc/ca.pem\"\n")
	c, err := Load(Sources{File: write(t, sample), Environ: []string{
		"WALARCHIVE_KEYS_PROVIDERS_MY_KMS_CONNECTION_FILE=" + path,
		"WALARCHIVE_KEYS_PROVIDERS_MY_KMS_CREDENTIAL_FILE=/etc/c",
		"CREDENTIALS_DIRECTORY=/run/credentials/postgresql",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Keys.Providers["my_kms"]; got["host"] != "kms.example.com" || got["credential_file"] != "/etc/c" {
		t.Errorf("got %v", got)
	}
	if c.Keys.Loaded != "/run/credentials/postgresql" {
		t.Errorf("got %q", c.Keys.Loaded)
	}
}
