package config

import (
	"fmt"
	"strings"

	"walarchive/keys/all"
)

// The tables that have a section for each key provider, with options that
// depend on its type.
const (
	providersKey = "keys.providers" // ours
	overridesKey = "tde.providers"  // pg_tde's: what differs on this host
)

// option is a key TABLE.PROVIDER.NAME taken apart.
type option struct{ table, provider, name string }

func (o option) section() string { return o.table + "." + o.provider }

// parseOption reads the key of a provider's option.
func parseOption(key string) (option, bool) {
	for _, table := range []string{providersKey, overridesKey} {
		rest, ok := strings.CutPrefix(key, table+".")
		if i := strings.LastIndexByte(rest, '.'); ok && i >= 0 {
			return option{table, rest[:i], rest[i+1:]}, true
		}
	}
	return option{}, false
}

// isOptions reports whether key is one of the tables, or a section in it.
func isOptions(key string) bool {
	for _, table := range []string{providersKey, overridesKey} {
		if key == table || strings.HasPrefix(key, table+".") {
			return true
		}
	}
	return false
}

// optionKey is the key for WALARCHIVE_KEYS_PROVIDERS_NAME_OPTION or
// WALARCHIVE_TDE_PROVIDERS_NAME_OPTION, with NAME and OPTION in lower case; the
// option is the longest that there is, else the last word. What is no such
// variable gives a key that no setting has.
func optionKey(name string) string {
	for _, table := range []string{providersKey, overridesKey} {
		rest, ok := strings.CutPrefix(strings.ToLower(name), strings.ToLower(variable(table))+"_")
		i := strings.LastIndexByte(rest, '_')
		if !ok || i < 1 {
			continue
		}
		for _, option := range append(all.OptionNames(), connectionOption) {
			if provider, found := strings.CutSuffix(rest, "_"+option); found && provider != "" {
				i = min(i, len(provider))
			}
		}
		return table + "." + rest[:i] + "." + rest[i+1:]
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", ".")
}

func (c *Config) setOption(o option, v value) error {
	all := c.Keys.Providers
	if o.table == overridesKey {
		all, o.provider = c.TDE.Providers, strings.ToLower(o.provider) // pg_tde ignores case
	}
	if err := o.checkProvider(); err != nil {
		return &Error{v.where, fmt.Sprintf("key provider %q: %v", o.provider, err), ""}
	}
	s, ok := v.data.(string)
	if v.data != nil && !ok {
		return &Error{v.where, fmt.Sprintf("%s: wants a text in quotes", v.key), ""}
	}
	if v.data == nil {
		s = v.text
	}
	if all[o.provider] == nil {
		all[o.provider] = map[string]string{}
		c.seen[o.section()] = v.where
	}
	all[o.provider][o.name] = s
	return nil
}

// checkProvider looks at the provider's name: pg_tde takes any text for one.
func (o option) checkProvider() error {
	const longest = 127 // bytes, in pg_tde
	switch {
	case o.table == providersKey:
		return isName(o.provider)
	case o.provider == "" || len(o.provider) > longest:
		return fmt.Errorf("a name has 1 to %d bytes", longest)
	}
	return nil
}

// ParseOverrides reads options NAME.OPTION=VALUE as [tde.providers.NAME] has
// them.
func ParseOverrides(all []string) (map[string]map[string]string, error) {
	c := defaults()
	for _, s := range all {
		key, text, ok := strings.Cut(s, "=")
		o, named := parseOption(overridesKey + "." + key)
		if !ok || !named {
			return nil, fmt.Errorf("%q is not NAME.OPTION=VALUE", key)
		}
		if err := o.refuseSecret(key); err != nil {
			return nil, err
		}
		if err := c.setOption(o, value{key: key, where: key, text: text}); err != nil {
			return nil, err
		}
	}
	return c.TDE.Providers, c.check()
}

// refuseSecret refuses a secret on the command line.
func (o option) refuseSecret(where string) error {
	if o.name != tokenOption {
		return nil
	}
	return &Error{where, "a command line is no place for a secret: every user of the host can read it", "put it into a file for token_file"}
}
