package kmip

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// readVectors reads requests as pg_tde makes them, by name.
func readVectors(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("../../fixtures/vectors/pg_tde.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Requests map[string]string `json:"kmip_requests"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for name, text := range file.Requests {
		if all[name], err = hex.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
