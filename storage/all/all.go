// Package all lists the backends of storage. Only commands import it.
package all

import (
	"walarchive/storage"
	"walarchive/storage/file"
)

// Openers has every backend by its URL scheme. Another one is one more entry.
func Openers() storage.Mux {
	return storage.Mux{
		"file": file.Open,
	}
}
