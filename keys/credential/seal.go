package credential

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"walarchive/crypt"
)

// Method is a way to seal a credential.
type Method string

// The ways to seal a credential.
const (
	ByHostKey Method = "host-key"
	BySystemd Method = "systemd"
)

const (
	hostKeySize = 32 // bytes
	keyLabel    = "walarchive 1 credential"
)

var (
	errSecretSize = fmt.Errorf("a secret has 1 to %d bytes", MaxSecret)
	errSameDir    = errors.New("the host key must lie in another directory than the credential: who copies the one must not have the other")
)

// Set seals secret and puts it in place of the credential there is, if any, as
// a whole. Nobody but this process's account can read the file, or the host
// key, which is made where there is none.
func (p *Place) Set(ctx context.Context, by Method, secret []byte, now time.Time) error {
	sealed, err := p.seal(ctx, by, secret, now)
	if err == nil {
		err = replace(p.File, sealed)
	}
	return p.wrap(err)
}

func (p *Place) seal(ctx context.Context, by Method, secret []byte, now time.Time) ([]byte, error) {
	if len(secret) == 0 || len(secret) > MaxSecret {
		return nil, errSecretSize
	}
	r, err := p.record(now)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	switch by {
	case BySystemd:
		text := bytes.Join([][]byte{line, secret}, []byte("\n"))
		defer clear(text)
		return systemdEncrypt(ctx, p.name(), text)
	case ByHostKey:
		key, err := p.makeHostKey()
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		return sealByKey(key, line, secret)
	}
	return nil, fmt.Errorf("%q is no way to seal a credential", by)
}

func sealByKey(hostKey crypt.Key, line, secret []byte) ([]byte, error) {
	aead, err := newAEAD(hostKey)
	if err != nil {
		return nil, err
	}
	box := aead.Seal(nil, nil, secret, line)
	return fmt.Appendf(nil, "%s\n%s\n", line, base64.StdEncoding.EncodeToString(box)), nil
}

// newAEAD is the cipher of a file, whose nonces come from the cryptographic
// module itself, as the approved modes of FIPS 140-3 ask.
func newAEAD(hostKey crypt.Key) (cipher.AEAD, error) {
	k := hostKey.Derive(nil, keyLabel)
	defer k.Wipe()
	block, err := aes.NewCipher(k.Bytes())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (p *Place) openByKey(b []byte) (record, []byte, error) {
	r, line, rest, err := parseRecord(b)
	if err != nil {
		return record{}, nil, err
	}
	if err := p.fits(r); err != nil {
		return record{}, nil, err
	}
	key, err := p.hostKey()
	if err != nil {
		return record{}, nil, err
	}
	defer key.Wipe()
	secret, err := openBox(key, line, rest)
	return r, secret, err
}

func openBox(hostKey crypt.Key, line, rest []byte) ([]byte, error) {
	text, ok := bytes.CutSuffix(rest, []byte("\n"))
	box, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || !ok || bytes.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: its second line is no base64", ErrDamaged)
	}
	aead, err := newAEAD(hostKey)
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nil, box, line)
	if err != nil {
		return nil, fmt.Errorf("%w, or the file was altered", ErrKey)
	}
	return secret, nil
}

// makeHostKey reads the host's key, and makes one if there is none.
func (p *Place) makeHostKey() (crypt.Key, error) {
	if filepath.Dir(p.HostKey) == filepath.Dir(p.File) {
		return crypt.Key{}, errSameDir
	}
	if _, err := os.Lstat(p.HostKey); errors.Is(err, fs.ErrNotExist) {
		if err := createHostKey(p.HostKey); err != nil {
			return crypt.Key{}, err
		}
	}
	return p.hostKey()
}
