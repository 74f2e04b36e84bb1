package tdekeys

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"walarchive/keys/all"
)

// Overrides are options of a server's key providers that differ on this host,
// by the provider's name in lower case: pg_tde's names ignore case. They are
// options of our own providers (keys/all). With a type they stand for all that
// the server has; without one they replace single options, and an empty value
// takes one away.
type Overrides map[string]map[string]string

// CheckOverride reports, as an error, an option that no provider has, or a
// provider with a type that does not open.
func CheckOverride(override map[string]string) error {
	if whole(override) {
		_, err := all.Open(override, nil)
		return err
	}
	known := all.OptionNames()
	for _, name := range slices.Sorted(maps.Keys(override)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("unknown option %s", name)
		}
	}
	return nil
}

func (o Overrides) of(provider string) map[string]string { return o[strings.ToLower(provider)] }

// whole reports whether an override stands for all options of its provider.
func whole(override map[string]string) bool { return override["type"] != "" }

// logins are the options that bring a way to log in of their own: with one of
// them, the server's token file is not used.
var logins = []string{"auth", "token"}

// merge is what an override makes of the server's options.
func merge(server, override map[string]string) map[string]string {
	options := maps.Clone(server)
	for _, login := range logins {
		if override[login] != "" {
			delete(options, "token_file")
		}
	}
	maps.Copy(options, override)
	maps.DeleteFunc(options, func(_, value string) bool { return value == "" })
	return options
}

// explain says with which overrides a provider was tried, or that there are
// only some of other names.
func (o Overrides) explain(provider string, err error) error {
	if own := o.of(provider); len(own) > 0 {
		return fmt.Errorf("with %s of tde.providers: %w", strings.Join(slices.Sorted(maps.Keys(own)), ", "), err)
	}
	if len(o) > 0 {
		return fmt.Errorf("with no override in tde.providers, which has %s: %w", strings.Join(slices.Sorted(maps.Keys(o)), ", "), err)
	}
	return err
}
