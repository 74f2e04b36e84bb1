package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/BurntSushi/toml"
)

// connectionOption names a file with options of a key provider that all hosts
// share.
const connectionOption = "connection_file"

// tokenOption is the one option that is a secret.
const tokenOption = "token"

// readConnections puts into the providers what their connection files say. An
// option that the configuration gives itself wins.
func (c *Config) readConnections() error {
	for name, options := range c.Keys.Providers {
		path, ok := options[connectionOption]
		if !ok {
			continue
		}
		shared, err := readConnection(path)
		if err != nil {
			return &Error{c.seen[providersKey+"."+name], fmt.Sprintf("key provider %s: %s: %v", name, connectionOption, err), connectionHint}
		}
		maps.Copy(shared, options)
		delete(shared, connectionOption)
		c.Keys.Providers[name] = shared
	}
	return nil
}

const connectionHint = "the file has the options of the provider, as in [keys.providers.NAME] but without a section, and no secret"

func readConnection(path string) (map[string]string, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%q is no absolute path", path)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w; the server's account must be able to read it", err)
	}
	if err != nil {
		return nil, err
	}
	var data map[string]any
	if _, err := toml.Decode(string(text), &data); err != nil {
		return nil, syntaxError(path, err)
	}
	options := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		value, ok := data[key].(string)
		switch {
		case key == tokenOption:
			return nil, fmt.Errorf("%s: %s is a secret, and this file is for all hosts", path, key)
		case key == connectionOption:
			return nil, fmt.Errorf("%s: names another connection file", path)
		case !ok:
			return nil, fmt.Errorf("%s: %s wants a text in quotes", path, key)
		}
		options[key] = value
	}
	return options, nil
}
