package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"walarchive/cmd/internal/tdekeys"
	"walarchive/crypt"
	"walarchive/keys"
	"walarchive/keys/all"
)

func isName(s string) error {
	if !crypt.ValidName(s) || s == "." || s == ".." {
		return fmt.Errorf("%q is no name of 1 to 128 of the characters A-Z a-z 0-9 . _ -", s)
	}
	return nil
}

// isAny is for texts that only a service can judge.
func isAny(string) error { return nil }

func isAbsolute(s string) error {
	if !filepath.IsAbs(s) {
		return fmt.Errorf("%q is no absolute path", s)
	}
	return nil
}

func isAddress(s string) error {
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		return fmt.Errorf("%q is no HOST:PORT", s)
	}
	return nil
}

func isURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return fmt.Errorf("%q is no URL such as file:///srv/wal", s)
	}
	return nil
}

func isAnchor(s string) error {
	_, err := keys.ParseAnchor(s)
	return err
}

func isGap(s string) error {
	gap := regexp.MustCompile(`^[0-9A-F]{24}\.\.[0-9A-F]{24}$`)
	if !gap.MatchString(s) {
		return fmt.Errorf("%q is not two segment names FIRST..LAST", s)
	}
	return nil
}

// check looks at what settings say about each other.
func (c *Config) check() error {
	for name, options := range c.Keys.Providers {
		if _, err := all.Open(options, unread); err != nil {
			return &Error{c.seen[providersKey+"."+name], fmt.Sprintf("key provider %s: %v", name, err), "keys.providers." + name + " has a type, and the options of that type"}
		}
	}
	if _, ok := c.Keys.Providers[c.Keys.Provider]; c.Keys.Provider != "" && !ok {
		return &Error{c.seen["keys.provider"], fmt.Sprintf("keys.provider: there is no [%s.%s]", providersKey, c.Keys.Provider), ""}
	}
	for name, options := range c.TDE.Providers {
		if err := tdekeys.CheckOverride(options); err != nil {
			return &Error{c.seen[overridesKey+"."+name], fmt.Sprintf("%s.%s: %v", overridesKey, name, err), "options that differ on this host; with a type, all options of that type"}
		}
	}
	return c.checkStores()
}

// unread stands for credentials, which opening a provider does not read.
func unread() ([]byte, error) { return nil, keys.ErrUnavailable }

// RequireStore checks that the configuration says where the archive is.
func (c *Config) RequireStore() error {
	return c.require("storage.url", c.Storage.URL, "file:///srv/wal")
}

// RequireArchive checks that it says which key opens the archive, too.
func (c *Config) RequireArchive() error {
	if err := c.RequireStore(); err != nil {
		return err
	}
	if err := c.require("keys.provider", c.Keys.Provider, "local"); err != nil {
		return err
	}
	return c.require("keys.principal", c.Keys.Principal, "wal-2026")
}

func (c *Config) require(key, value, example string) error {
	if value != "" {
		return nil
	}
	return &Error{c.source, key + " is not set", c.howToSet(key, example)}
}

func (c *Config) howToSet(key, example string) string {
	section, name, _ := strings.Cut(key, ".")
	hint := fmt.Sprintf("%s = %q in section [%s], or %s in the environment", name, example, section, variable(key))
	if c.source == "" {
		hint += "; there is no " + DefaultFile + ", and no other file was named"
	}
	return hint
}
