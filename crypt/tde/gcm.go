package tde

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"slices"

	"walarchive/crypt"
)

// errTag: key, nonce, text and tag do not belong together.
var errTag = errors.New("authentication failed")

// openGCM is the one primitive of key files: AES-GCM with a nonce of 16 bytes
// (not the usual 12), under the principal key as it is. It returns the plaintext,
// or errTag.
func openGCM(principal crypt.Key, nonce, aad, ciphertext, tag []byte) ([]byte, error) {
	block, err := aes.NewCipher(principal.Bytes())
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, len(nonce))
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, slices.Concat(ciphertext, tag), aad)
	if err != nil {
		return nil, errTag
	}
	return plain, nil
}
