package config

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// row is a line of the table of settings in docs/reference.md.
type row struct{ key, value, values, variable, doc string }

var rowForm = regexp.MustCompile("(?m)^\\| `([a-z_]+(?:\\.[a-z0-9_]+)+)` \\| (\\S*) ?\\| ([^|]*) \\| `([A-Z0-9_]+)` \\| ([^|]*) \\|$")

func referenceRows(t *testing.T) []row {
	t.Helper()
	b, err := os.ReadFile("../../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, m := range rowForm.FindAllStringSubmatch(string(b), -1) {
		rows = append(rows, row{m[1], strings.Trim(m[2], "`"), m[3], m[4], m[5]})
	}
	return rows
}

// TestReference holds the table of settings in the documentation to the one in
// settings.go: all of them, in that order, with defaults and bounds.
func TestReference(t *testing.T) {
	rows := referenceRows(t)
	all := defaults().settings()
	if len(rows) != len(all) {
		t.Errorf("the reference has %d settings, want %d", len(rows), len(all))
	}
	for i, s := range all[:min(len(all), len(rows))] {
		t.Run(s.key, func(t *testing.T) {
			r := rows[i]
			if r.key != s.key || r.variable != variable(s.key) || r.doc != s.doc {
				t.Errorf("got %+v, want %s, %s, %q", r, s.key, variable(s.key), s.doc)
			}
			r.checkDefault(t, i)
			r.checkValues(t, i)
		})
	}
}

// checkDefault: setting the default changes nothing.
func (r row) checkDefault(t *testing.T, i int) {
	t.Helper()
	c := defaults()
	if r.value == "" {
		if reflect.ValueOf(defaultOf(r.key)).IsZero() {
			return
		}
		t.Errorf("%s has a default, the reference none", r.key)
		return
	}
	if err := c.settings()[i].field.fromText(r.value); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(c, defaults()) {
		t.Errorf("%q is not the default", r.value)
	}
}

// defaultOf is the default of the field that a key sets, found by its name.
func defaultOf(key string) any {
	same := func(want string) func(string) bool {
		return func(field string) bool { return strings.EqualFold(field, strings.ReplaceAll(want, "_", "")) }
	}
	v := reflect.ValueOf(*defaults())
	for part := range strings.SplitSeq(key, ".") {
		v = v.FieldByNameFunc(same(part))
	}
	return v.Interface()
}

// checkValues: the choices that are listed are accepted, and so are the bounds;
// nothing beside them is.
func (r row) checkValues(t *testing.T, i int) {
	t.Helper()
	accepts := func(s string) bool { return defaults().settings()[i].field.fromText(s) == nil }
	listed := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(r.values, -1)
	for _, m := range listed {
		if !accepts(m[1]) {
			t.Errorf("%q is listed and refused", m[1])
		}
	}
	switch {
	case len(listed) == 0:
		return
	case strings.Contains(r.values, "` to `"):
		least, most := beside(t, listed[0][1], -1), beside(t, listed[1][1], 1)
		if accepts(least) || accepts(most) {
			t.Errorf("%s or %s is accepted, outside the bounds", least, most)
		}
	default:
		if accepts("unheard-of") {
			t.Error("a value that is not listed is accepted")
		}
	}
}

// beside is the nearest number or time span below or above.
func beside(t *testing.T, s string, step int) string {
	t.Helper()
	if n, err := strconv.Atoi(s); err == nil {
		return strconv.Itoa(n + step)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return (d + time.Duration(step)).String()
}
