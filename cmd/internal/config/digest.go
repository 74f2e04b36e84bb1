package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest is the same for two configurations, of programs of that version, that
// mean the same for WAL and where it goes. Two calls with one digest can do
// each other's work. How long they wait, and what they log, does not count.
func (c *Config) Digest(version string) string {
	b, err := json.Marshal([]any{version, c.Cluster.Name, c.Storage, c.Keys, c.TDE, c.Archive})
	if err != nil {
		panic(err) // of nothing but texts, numbers and maps
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
