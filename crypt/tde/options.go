package tde

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Options say where a provider's keys are: FileOptions, VaultOptions or
// KMIPOptions.
type Options interface {
	// MapPaths is a copy whose file paths went through f; absent ones did not.
	// Relative paths count from the data directory.
	MapPaths(f func(path string) string) Options
}

// FileOptions are the options of a keyring file.
type FileOptions struct {
	Path string
}

// VaultOptions are the options of a Vault or OpenBao key-value engine,
// version 2. URL and MountPath are used as they stand.
type VaultOptions struct {
	URL       string
	MountPath string
	TokenPath string // file whose first line is the token
	CAPath    string // PEM; empty: the system's
	Namespace string // may be empty
}

// KMIPOptions are the options of a KMIP server.
type KMIPOptions struct {
	Host, Port                string
	CAPath, CertPath, KeyPath string // PEM
}

func (o FileOptions) MapPaths(f func(string) string) Options {
	o.Path = f(o.Path)
	return o
}

func (o VaultOptions) MapPaths(f func(string) string) Options {
	o.TokenPath = f(o.TokenPath)
	if o.CAPath != "" {
		o.CAPath = f(o.CAPath)
	}
	return o
}

func (o KMIPOptions) MapPaths(f func(string) string) Options {
	o.CAPath, o.CertPath, o.KeyPath = f(o.CAPath), f(o.CertPath), f(o.KeyPath)
	return o
}

// Options reads the provider's options.
func (p *Provider) Options() (Options, error) {
	o, err := parseOptions(p.Type, p.Text)
	if err != nil {
		return nil, fmt.Errorf("key provider %q (%s): %w: %w", p.Name, p.Type, ErrProvider, err)
	}
	return o, nil
}

// An option is one key that a type of provider knows.
type option struct {
	key      string
	required bool // present and not empty
	value    *string
}

func parseOptions(t ProviderType, text string) (Options, error) {
	switch t {
	case FileProvider:
		var o FileOptions
		err := fillOptions(text, option{"path", true, &o.Path})
		return o, err
	case VaultProvider, OpenBaoProvider:
		var o VaultOptions
		err := fillOptions(text,
			option{"url", true, &o.URL}, option{"mountPath", true, &o.MountPath}, option{"tokenPath", true, &o.TokenPath},
			option{"caPath", false, &o.CAPath}, option{"namespace", false, &o.Namespace})
		return o, err
	case KMIPProvider:
		var o KMIPOptions
		err := fillOptions(text,
			option{"host", true, &o.Host}, option{"port", true, &o.Port},
			option{"caPath", true, &o.CAPath}, option{"certPath", true, &o.CertPath}, option{"keyPath", true, &o.KeyPath})
		return o, err
	}
	return nil, errors.New("a provider of this type cannot be used")
}

// fillOptions reads one flat JSON object. Of a repeated key the last one
// counts; null counts as absent, a number as its text.
func fillOptions(text string, known ...option) error {
	if !utf8.ValidString(text) {
		return errors.New("options are not UTF-8")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("options are not a JSON object")
	}
	for d.More() {
		if err := fillOption(d, known); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("options are not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("options go on behind their JSON object")
	}
	for _, o := range known {
		if o.required && *o.value == "" {
			return fmt.Errorf("option %q is missing", o.key)
		}
	}
	return nil
}

func fillOption(d *json.Decoder, known []option) error {
	key, err := d.Token()
	if err != nil {
		return fmt.Errorf("options are not JSON: %w", err)
	}
	i := slices.IndexFunc(known, func(o option) bool { return o.key == key })
	if i < 0 {
		return fmt.Errorf("option %q is unknown", key)
	}
	value, err := d.Token()
	if err != nil {
		return fmt.Errorf("options are not JSON: %w", err)
	}
	switch v := value.(type) {
	case nil:
		*known[i].value = ""
	case string:
		*known[i].value = v
	case json.Number:
		*known[i].value = v.String()
	default:
		return fmt.Errorf("option %q is neither text nor number", key)
	}
	return nil
}
