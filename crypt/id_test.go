package crypt

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestIDPrintsAndParses(t *testing.T) {
	id, err := NewID(bytes.NewReader([]byte("0123456789abcdefgh")))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := id.String(), "30313233343536373839616263646566"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, err := ParseID(id.String()); got != id || err != nil {
		t.Errorf("ParseID(%v) = %v, %v", id, got, err)
	}
	text, err := json.Marshal(id)
	var back ID
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if back != id || err != nil {
		t.Errorf("JSON %s became %v, %v", text, back, err)
	}
}

func TestParseRefuses(t *testing.T) {
	digits := strings.Repeat("0123456789abcdef", 4)
	for name, edit := range map[string]func(string) string{
		"empty":      func(string) string { return "" },
		"too short":  func(s string) string { return s[1:] },
		"too long":   func(s string) string { return s + "0" },
		"upper case": strings.ToUpper,
		"no hex":     func(s string) string { return "g" + s[1:] },
		"space":      func(s string) string { return " " + s[1:] },
	} {
		if id, err := ParseID(edit(digits[:32])); !errors.Is(err, ErrID) {
			t.Errorf("id, %s: %v, %v", name, id, err)
		}
		if d, err := ParseDigest(edit(digits)); !errors.Is(err, ErrDigest) {
			t.Errorf("digest, %s: %v, %v", name, d, err)
		}
	}
}

func TestNewIDWithoutRandomness(t *testing.T) {
	if id, err := NewID(strings.NewReader("short")); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, %v", id, err)
	}
}
