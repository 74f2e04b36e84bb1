package config

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"walarchive/archive/wal"
)

// field is where a setting goes: it takes a value of the TOML file, or the
// text of a variable or flag.
type field struct {
	fromData func(data any) error
	fromText func(s string) error
}

// written is a field whose form in the file is a text too.
func written(set func(s string) error) field {
	return field{
		fromData: func(data any) error {
			s, ok := data.(string)
			if !ok {
				return errors.New("wants a text in quotes")
			}
			return set(s)
		},
		fromText: set,
	}
}

func text(to *string, check func(string) error) field {
	return written(func(s string) error {
		*to = s
		return check(s)
	})
}

func choice(to *string, of ...string) field {
	return written(func(s string) error {
		if !slices.Contains(of, s) {
			return fmt.Errorf("%q is none of %s", s, strings.Join(of, ", "))
		}
		*to = s
		return nil
	})
}

func duration(to *time.Duration, least, most time.Duration) field {
	return written(func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is no time span such as 90s or 15m", s)
		}
		if d < least || d > most {
			return fmt.Errorf("%v is not between %v and %v", d, least, most)
		}
		*to = d
		return nil
	})
}

func level(to *slog.Level) field {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return written(func(s string) error {
		l, ok := levels[s]
		if !ok {
			return fmt.Errorf("%q is none of debug, info, warn, error", s)
		}
		*to = l
		return nil
	})
}

func format(json *bool) field {
	return written(func(s string) error {
		if s != "text" && s != "json" {
			return fmt.Errorf("%q is none of text, json", s)
		}
		*json = s == "json"
		return nil
	})
}

func timeline(to *wal.Timeline) field {
	set := func(s string) (err error) {
		*to, err = ParseTimeline(s)
		return err
	}
	f := written(set)
	byText := f.fromData
	f.fromData = func(data any) error {
		if n, ok := data.(int64); ok {
			return set(strconv.FormatInt(n, 10))
		}
		return byText(data)
	}
	return f
}

// ParseTimeline reads the timeline to follow: a number, or latest, which is 0.
func ParseTimeline(s string) (wal.Timeline, error) {
	if s == "latest" {
		return 0, nil
	}
	t, err := wal.ParseTimeline(s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither latest nor the number of a timeline", s)
	}
	return t, nil
}

func boolean(to *bool) field {
	return field{
		fromData: func(data any) (err error) {
			b, ok := data.(bool)
			if !ok {
				return errors.New("wants true or false")
			}
			*to = b
			return nil
		},
		fromText: func(s string) error {
			if s != "true" && s != "false" {
				return fmt.Errorf("%q is neither true nor false", s)
			}
			*to = s == "true"
			return nil
		},
	}
}

func number(to *int, least, most int64) field {
	set := func(n int64) error {
		if n < least || n > most {
			return fmt.Errorf("%d is not between %d and %d", n, least, most)
		}
		*to = int(n)
		return nil
	}
	return field{
		fromData: func(data any) error {
			n, ok := data.(int64)
			if !ok {
				return errors.New("wants a number")
			}
			return set(n)
		},
		fromText: func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no number", s)
			}
			return set(n)
		},
	}
}

// list is an array of texts; outside the file they are separated by commas.
func list(to *[]string, check func(string) error) field {
	set := func(all []string) error {
		for _, s := range all {
			if err := check(s); err != nil {
				return err
			}
		}
		*to = all
		return nil
	}
	return field{
		fromData: func(data any) error {
			array, ok := data.([]any)
			if !ok {
				return errors.New("wants a list of texts")
			}
			all := make([]string, len(array))
			for i, v := range array {
				if all[i], ok = v.(string); !ok {
					return errors.New("wants a list of texts")
				}
			}
			return set(all)
		},
		fromText: func(s string) error { return set(split(s)) },
	}
}

// pairs is a table of texts; outside the file FROM=TO, separated by commas.
func pairs(to *map[string]string) field {
	return field{
		fromData: func(data any) error {
			table, ok := data.(map[string]any)
			if !ok {
				return errors.New(`wants a table { "FROM" = "TO" }`)
			}
			m := map[string]string{}
			for k, v := range table {
				if m[k], ok = v.(string); !ok || k == "" {
					return errors.New(`wants a table { "FROM" = "TO" }`)
				}
			}
			*to = m
			return nil
		},
		fromText: func(s string) (err error) {
			*to, err = ParseMap(split(s))
			return err
		},
	}
}

// ParseMap reads pairs FROM=TO.
func ParseMap(all []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range all {
		from, to, ok := strings.Cut(s, "=")
		if !ok || from == "" || to == "" {
			return nil, fmt.Errorf("%q is not FROM=TO", s)
		}
		m[from] = to
	}
	return m, nil
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
