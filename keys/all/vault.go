package all

import (
	"fmt"
	"maps"
	"slices"

	"walarchive/keys"
	"walarchive/keys/vault"
)

// vaultOptions binds the names of options to o.
func vaultOptions(o *vault.Options) map[string]*string {
	return map[string]*string{
		"url": &o.URL, "mount": &o.Mount, "namespace": &o.Namespace, "ca": &o.CA, "cert": &o.Cert, "key": &o.Key,
		"auth": (*string)(&o.Auth), "auth_mount": &o.AuthMount, "token": &o.Token, "token_file": &o.TokenFile,
		"role_id": &o.RoleID, "secret_id_file": &o.SecretIDFile, "role": &o.Role, "jwt_file": &o.JWTFile,
	}
}

// plaintextOption must be "allowed" for HTTP without TLS to another host.
const plaintextOption = "plaintext"

func parseVault(options map[string]string, secret keys.Secret) (vault.Options, error) {
	o := vault.Options{Secret: secret}
	known := vaultOptions(&o)
	for _, name := range slices.Sorted(maps.Keys(options)) {
		value := options[name]
		if name == plaintextOption {
			if value != "allowed" {
				return o, fmt.Errorf("plaintext %q is not \"allowed\"", value)
			}
			o.AllowHTTP = true
			continue
		}
		to, ok := known[name]
		if !ok {
			return o, fmt.Errorf("unknown option %s", name)
		}
		*to = value
	}
	return o, nil
}

func openVault(options map[string]string, secret keys.Secret) (keys.Provider, error) {
	o, err := parseVault(options, secret)
	if err != nil {
		return nil, err
	}
	p, err := vault.New(o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func openTransit(options map[string]string, secret keys.Secret) (keys.Provider, error) {
	o, err := parseVault(options, secret)
	if err != nil {
		return nil, err
	}
	p, err := vault.NewTransit(o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// vaultOptionNames are the names that parseVault takes.
func vaultOptionNames() []string {
	return append(slices.Collect(maps.Keys(vaultOptions(new(vault.Options)))), plaintextOption)
}
