package keys_test

import (
	"errors"
	"fmt"
	"testing"

	"walarchive/keys"
)

func TestErrorNamesKeyAndServiceAndKeepsItsKind(t *testing.T) {
	var err error = &keys.Error{
		Provider: "keyring file /srv/keyring",
		Key:      "wal-2026",
		Err:      fmt.Errorf("looked at 3 records: %w", keys.ErrNoKey),
		Advice:   "create it",
	}
	if want := `principal key "wal-2026" in keyring file /srv/keyring: looked at 3 records: no such key`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, keys.ErrNoKey) {
		t.Error("the kind of the failure is lost")
	}
	var hinted interface{ Hint() string }
	if !errors.As(fmt.Errorf("init: %w", err), &hinted) || hinted.Hint() != "create it" {
		t.Error("the hint is lost under another layer")
	}
}
