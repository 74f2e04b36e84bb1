package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// prefix begins the names of the environment variables that are settings.
const prefix = "WALARCHIVE_"

// fileValues reads a TOML document.
func fileValues(name string, text []byte) ([]value, error) {
	var top map[string]toml.Primitive
	meta, err := toml.Decode(string(text), &top)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	r := reader{name, &meta, nil}
	if err := r.table("", top); err != nil {
		return nil, err
	}
	return r.values, nil
}

func syntaxError(name string, err error) error {
	var at toml.ParseError
	if !errors.As(err, &at) {
		return &Error{name, err.Error(), ""}
	}
	return &Error{fmt.Sprintf("%s:%d", name, at.Position.Line), at.Message, "the file is TOML: texts in quotes, sections in [brackets]"}
}

// reader walks a TOML document, so that every value is found with its line.
type reader struct {
	name   string
	meta   *toml.MetaData
	values []value
}

// table reads the keys below prefix in the order of the file.
func (r *reader) table(prefix string, t map[string]toml.Primitive) error {
	var found []lineValue
	for key, p := range t {
		probe := lineValue{key: prefix + key, primitive: p}
		// The library tells the line of a key only in errors: probe makes one.
		var at toml.ParseError
		if err := r.meta.PrimitiveDecode(p, &probe); errors.As(err, &at) {
			probe.line = at.Position.Line
		}
		found = append(found, probe)
	}
	slices.SortFunc(found, func(a, b lineValue) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return strings.Compare(a.key, b.key)
	})
	for _, v := range found {
		if err := r.value(v); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) value(v lineValue) error {
	if _, table := v.data.(map[string]any); table && isSection(v.key) {
		var t map[string]toml.Primitive
		if err := r.meta.PrimitiveDecode(v.primitive, &t); err != nil {
			return syntaxError(r.name, err)
		}
		return r.table(v.key+".", t)
	}
	if _, array := v.data.([]map[string]any); array && v.key == mirrorKey {
		return r.mirrors(v)
	}
	where := r.name
	if v.line > 0 {
		where = fmt.Sprintf("%s:%d", r.name, v.line)
	}
	r.values = append(r.values, value{key: v.key, where: where, data: v.data})
	return nil
}

// mirrors reads the tables [[storage.mirror]], numbered from 1.
func (r *reader) mirrors(v lineValue) error {
	var all []map[string]toml.Primitive
	if err := r.meta.PrimitiveDecode(v.primitive, &all); err != nil {
		return syntaxError(r.name, err)
	}
	if len(all) > maxMirrors {
		return &Error{fmt.Sprintf("%s:%d", r.name, v.line), fmt.Sprintf("%d mirrors are more than %d", len(all), maxMirrors), ""}
	}
	for i, t := range all {
		if err := r.table(fmt.Sprintf("%s.%d.", mirrorKey, i+1), t); err != nil {
			return err
		}
	}
	return nil
}

// isSection reports whether key names a table that holds settings, rather
// than one that is the value of a setting.
func isSection(key string) bool {
	return isOptions(key) || slices.ContainsFunc(new(Config).settingsFor(key), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// lineValue takes a value as it stands.
type lineValue struct {
	key       string
	primitive toml.Primitive
	data      any
	line      int
}

var errProbe = errors.New("probe")

func (v *lineValue) UnmarshalTOML(data any) error {
	v.data = data
	return errProbe
}

// environValues picks the settings out of the environment. An empty variable
// says nothing.
func environValues(environ []string) []value {
	names := map[string]string{}
	for _, s := range new(Config).settings() {
		names[variable(s.key)] = s.key
	}
	for n := range maxMirrors {
		for _, s := range mirrorSettings(n+1, new(Store)) {
			names[variable(s.key)] = s.key
		}
	}
	var values []value
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, prefix) || name == fileVariable || text == "" {
			continue
		}
		key, known := names[name]
		if !known {
			key = optionKey(name)
		}
		values = append(values, value{key: key, where: name, text: text})
	}
	return values
}

// variable names the environment variable of a setting.
func variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func flagValues(set []string) ([]value, error) {
	var values []value
	for _, s := range set {
		key, text, ok := strings.Cut(s, "=")
		if !ok {
			return nil, &Error{"--set " + s, "is not KEY=VALUE", "--set storage.url=file:///srv/wal"}
		}
		if o, ok := parseOption(key); ok {
			if err := o.refuseSecret("--set " + key); err != nil {
				return nil, err
			}
		}
		values = append(values, value{key: key, where: "--set " + key, text: text})
	}
	return values, nil
}

// lookup is the value of a variable in environ, the last one as in a shell.
func lookup(environ []string, name string) string {
	for _, e := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
