package kmip

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/keys"
	"walarchive/keys/keystest"
)

func TestConformance(t *testing.T) {
	keystest.TestProvider(t, func(t *testing.T) (keys.Provider, func(string, []byte)) {
		w := newWorld(t)
		return open(t, w.o), func(name string, key []byte) { w.Put("u", name, key, kmip.StatePreActive) }
	})
}

func TestStates(t *testing.T) {
	tests := []struct {
		name   string
		state  kmip.State
		strict bool
		want   error
		text   string
	}{
		{"Pre-Active, as pg_tde leaves its keys", kmip.StatePreActive, false, nil, ""},
		{"Active", kmip.StateActive, true, nil, ""},
		{"Pre-Active, strictly", kmip.StatePreActive, true, keys.ErrBadKey, "it is not active yet: the service answers WrongKeyLifecycleState: DENIED"},
		{"Compromised, but handed out", kmip.StateCompromised, false, nil, ""},
		{"Compromised", kmip.StateCompromised, true, keys.ErrBadKey, "marked as compromised"},
		{"Deactivated", kmip.StateDeactivated, false, keys.ErrBadKey, "it is deactivated"},
		{"Destroyed", kmip.StateDestroyed, false, keys.ErrNoKey, "no such key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.Strict = tt.strict
			w.Put("u", "k", material, tt.state)
			key, err := open(t, w.o).Key(t.Context(), "k")
			if tt.want != nil {
				checkError(t, err, tt.want, tt.text)
			} else if err != nil || !bytes.Equal(key.Bytes(), material) {
				t.Errorf("got another key, or error %v", err)
			}
		})
	}
}

// A key may be destroyed between Locate and Get.
func TestDestroyedWhileAsking(t *testing.T) {
	w := newWorld(t)
	id := w.Put("u", "k", material, kmip.StateDestroyed)
	w.Meddle = func(op kmip.Operation, answer []byte) []byte {
		if op == kmip.OperationLocate {
			return answerOf(op, &payloads.LocateResponsePayload{UniqueIdentifier: []string{id}})
		}
		return answer
	}
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "it was destroyed")
}

func TestNamesakesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	w.Put("u", "k", make([]byte, 32), kmip.StateActive)
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrBadKey, "2 keys have this name")
	_, err = open(t, w.o).Create(t.Context(), "k")
	checkError(t, err, keys.ErrKeyExists, "")
}

func TestOtherUsersKeys(t *testing.T) {
	w := newWorld(t)
	w.Put("somebody", "k", material, kmip.StateActive)
	_, err := open(t, w.o).Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "client certificate's user")
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	p := open(t, w.o)
	for _, name := range []string{"", strings.Repeat("n", 251), "a\x00", "\xff"} {
		_, err := p.Key(t.Context(), name)
		checkError(t, err, keys.ErrName, "")
		_, err = p.Create(t.Context(), name)
		checkError(t, err, keys.ErrName, "")
	}
	if asked := w.Asked(); len(asked) > 0 {
		t.Errorf("the service was asked %v", asked)
	}
	long := strings.Repeat("ü", 125)
	w.Put("u", long, material, kmip.StateActive)
	if _, err := p.Key(t.Context(), long); err != nil {
		t.Error(err)
	}
}

func TestFilesAreReadForEveryCall(t *testing.T) {
	w := newWorld(t)
	w.Put("u", "k", material, kmip.StateActive)
	p := open(t, w.o)
	stranger := w.ca.Client(t, "stranger")
	for from, to := range map[string]string{stranger.Cert: w.o.Cert, stranger.Key: w.o.Key} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.Key(t.Context(), "k")
	checkError(t, err, keys.ErrNoKey, "")
}
