package archive

import "fmt"

// Level is how deep Verify looks.
type Level int

const (
	LevelNames Level = iota + 1 // a listing: gaps, timelines, history files
	LevelFacts                  // and the first frame of every object: authentic, continuing its neighbour
	LevelFull                   // and every byte: authentic, digest, pages, records, links
)

func (l Level) String() string {
	switch l {
	case LevelNames:
		return "names"
	case LevelFacts:
		return "facts"
	case LevelFull:
		return "full"
	}
	return "unknown"
}

// ParseLevel reads what Level.String prints.
func ParseLevel(s string) (Level, error) {
	for l := LevelNames; l <= LevelFull; l++ {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is no level: names, facts or full", s)
}

// MarshalText is String.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText is ParseLevel.
func (l *Level) UnmarshalText(b []byte) (err error) {
	*l, err = ParseLevel(string(b))
	return err
}
