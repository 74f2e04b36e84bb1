package crypt

// Wrap is one wrapping of an epoch key by one principal key, as it stands in
// object headers and key-chain entries. It holds no secret.
type Wrap struct {
	Kind     string `json:"kind"`     // "local": AES-256-GCM under a key of ours; see WrapKey
	Provider string `json:"provider"` // name in the reader's own configuration, never an address
	Key      string `json:"key"`      // the principal key's name in that provider
	Salt     []byte `json:"salt"`     // 32 bytes
	Nonce    []byte `json:"nonce"`    // 12 bytes
	Box      []byte `json:"box"`      // 32 bytes of epoch key and the 16-byte tag, encrypted
}
