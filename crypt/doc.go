// Package crypt holds the few words all cryptography here is written in: keys
// that hide themselves, identities, digests, and the wrap of an epoch key. It
// knows nothing of WAL, of objects (package seal) or of where principal keys
// live (package keys).
//
// # Digest
//
// The digest of a content is SHA-256 over the concatenated SHA-256 values of
// its leaves. Leaf i is bytes [i MiB, (i+1) MiB) of the content; the last leaf
// may be shorter but not empty, so an empty content has no leaves and its
// digest is SHA-256 of nothing. Leaves are hashed on all cores; neither frame
// size nor codec of a stored object enters.
//
// # Local wrap
//
// An epoch key of 32 bytes is wrapped by a principal key of 32 bytes:
//
//	label  the ASCII text "walarchive wrap local 1"
//	salt   32 random bytes
//	nonce  12 random bytes
//	wkey   HKDF-SHA-256 (RFC 5869): secret principal key, salt, info label, 32 bytes
//	aad    label, archive id, epoch id, provider name, key name, each of the
//	       five preceded by its length in bytes, 4 bytes big-endian
//	box    AES-256-GCM (SP 800-38D) under wkey and nonce of the epoch key with
//	       aad: 32 bytes of ciphertext, then the 16-byte tag
//
// Both ids are their 16 raw bytes. A wrap is therefore useless under another
// name, for another epoch or in another archive.
package crypt
