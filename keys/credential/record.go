package credential

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const version = 1

// digest is 32 bytes, as hexadecimal digits.
type digest [sha256.Size]byte

func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

func (d *digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		return fmt.Errorf("%q is no digest", text)
	}
	copy(d[:], b)
	return nil
}

// record says what a sealed secret is for.
type record struct {
	Version    int       `json:"walarchive_credential"`
	Provider   string    `json:"provider"`
	Host       digest    `json:"host"`
	Connection digest    `json:"connection"`
	Time       time.Time `json:"time"`
}

// maxRecord bounds a record, in bytes.
const maxRecord = 1024

// start is what every record begins with.
const start = `{"walarchive_credential":`

// parseRecord takes the record off the front of b.
func parseRecord(b []byte) (r record, line, rest []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || len(line) > maxRecord || !bytes.HasPrefix(line, []byte(start)) {
		return r, nil, nil, fmt.Errorf("%w: it does not begin with the record of one", ErrDamaged)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, nil, nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if r.Version > version {
		return r, nil, nil, fmt.Errorf("%w: it is of version %d", ErrNewer, r.Version)
	}
	again, err := json.Marshal(r)
	if err != nil || !bytes.Equal(again, line) || r.Version != version {
		return r, nil, nil, fmt.Errorf("%w: its record is not in canonical form", ErrDamaged)
	}
	return r, line, rest, nil
}

// hostDigest names a host without giving its id away.
func hostDigest(machineID string) digest {
	h := hmac.New(sha256.New, []byte(machineID))
	h.Write([]byte("walarchive credential"))
	return digest(h.Sum(nil))
}

// connectionDigest is that of a provider's options: each as name=value, with a
// line feed behind it, in the order of the names.
func connectionDigest(options map[string]string) digest {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(&b, "%s=%s\n", name, options[name])
	}
	return sha256.Sum256([]byte(b.String()))
}
