package queue

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"walarchive/keys"
)

// Kind names the kind of an error in one word, for counting: archive_conflict,
// storage_unavailable, keys_nokey; other if it is none that anybody decides
// by. Of several kinds the first in the order of the alphabet counts.
func Kind(err error) string {
	var wrong *keys.WrongKeyError
	if errors.As(err, &wrong) {
		return "keys_wrongkey"
	}
	known := kinds()
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if errors.Is(err, known[name]) {
			return strings.ToLower(strings.NewReplacer(".Err", "_", ".", "_").Replace(name))
		}
	}
	return "other"
}
