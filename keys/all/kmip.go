package all

import (
	"fmt"
	"maps"
	"slices"

	"walarchive/keys"
	"walarchive/keys/kmip"
)

// kmipOptions binds the names of options to o.
func kmipOptions(o *kmip.Options) map[string]*string {
	return map[string]*string{"host": &o.Host, "port": &o.Port, "ca": &o.CA, "cert": &o.Cert, "key": &o.Key}
}

func openKMIP(options map[string]string, secret keys.Secret) (keys.Provider, error) {
	o := kmip.Options{Secret: secret}
	known := kmipOptions(&o)
	for _, name := range slices.Sorted(maps.Keys(options)) {
		to, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("unknown option %s", name)
		}
		*to = options[name]
	}
	p, err := kmip.New(o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// kmipOptionNames are the names that openKMIP takes.
func kmipOptionNames() []string { return slices.Collect(maps.Keys(kmipOptions(new(kmip.Options)))) }
