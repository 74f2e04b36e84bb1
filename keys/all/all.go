// Package all knows every key provider of this project, by the name of its
// type in the configuration.
package all

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"walarchive/keys"
	"walarchive/keys/file"
)

// Options that several types have.
const (
	typeOption = "type" // which type it is

	// CredentialFile names a sealed credential. What is in it, Open is given.
	CredentialFile = "credential_file"
)

// An Opener makes a provider from the options of the configuration, those of
// its own type only. It touches neither files nor network. secret is nil for a
// provider without a sealed credential.
type Opener func(options map[string]string, secret keys.Secret) (keys.Provider, error)

// Openers are the types of provider, by name.
func Openers() map[string]Opener {
	return map[string]Opener{"file": openFile, "kmip": openKMIP, "transit": openTransit, "vault": openVault}
}

// Open makes a provider of the type that the option "type" names. Where the
// option CredentialFile is set, secret opens that file.
func Open(options map[string]string, secret keys.Secret) (keys.Provider, error) {
	rest := maps.Clone(options)
	delete(rest, typeOption)
	delete(rest, CredentialFile)
	switch path := options[CredentialFile]; {
	case path == "":
		secret = nil
	case !filepath.IsAbs(path):
		return nil, fmt.Errorf("%s %q is not absolute, and the programs are called from any directory", CredentialFile, path)
	case secret == nil:
		return nil, fmt.Errorf("%s cannot be used here", CredentialFile)
	}
	openers := Openers()
	open, ok := openers[options[typeOption]]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(openers)), ", ")
		return nil, fmt.Errorf("type %q is none of: %s", options[typeOption], known)
	}
	return open(rest, secret)
}

func openFile(options map[string]string, secret keys.Secret) (keys.Provider, error) {
	if secret != nil {
		return nil, fmt.Errorf("a keyring file has no %s", CredentialFile)
	}
	if err := only(options, "path"); err != nil {
		return nil, err
	}
	path := options["path"]
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("path %q is not absolute, and the programs are called from any directory", path)
	}
	return file.New(path), nil
}

// only checks that options has all the names, none of them empty, and no other.
func only(options map[string]string, names ...string) error {
	for _, n := range names {
		if options[n] == "" {
			return fmt.Errorf("%s is not set", n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(names, n) {
			return fmt.Errorf("unknown option %s", n)
		}
	}
	return nil
}

// OptionNames are the names of the options of all types, and "type".
func OptionNames() []string {
	names := slices.Concat(vaultOptionNames(), kmipOptionNames(), []string{typeOption, CredentialFile, "path"})
	slices.Sort(names)
	return slices.Compact(names)
}
