// Package vault keeps principal keys in HashiCorp Vault or OpenBao, in one of
// two ways.
//
// # Key-value engine, version 2 (KV)
//
// The form in which pg_tde keeps its keys; keys of our own are created in it
// too. A key is the field "key" of a secret: standard base64 of its 16 or 32
// bytes. It is fetched with
//
//	GET {url}/v1/{mount}/data/{name}
//	X-Vault-Token: {token}
//	X-Vault-Namespace: {namespace}
//
// and the newest version of the secret counts: its data.data.key, at that
// depth and in that spelling, any other member being ignored. The mount is used
// as it stands: with the mount "secret/data", which some of Percona's examples
// have, the key lies at /v1/secret/data/data/{name}. Nothing is escaped, and an
// address of more than 511 bytes is cut there, as pg_tde does. A header whose
// value would be empty is left out. PostgreSQL's base64 decoder, by which
// pg_tde reads the field, passes over white space, and so does this package.
//
// # Transit engine (Transit)
//
// The key never leaves the service. Wraps are made by
//
//	PUT {url}/v1/{mount}/encrypt/{name}    {"plaintext": base64}
//	PUT {url}/v1/{mount}/decrypt/{name}    {"ciphertext": text}
//
// and the box of a wrap is the ciphertext as the service gives it:
// "vault:v{version}:" and base64 of nonce, 32 bytes of ciphertext and tag, 60
// or 72 bytes in all. Anything else is refused before it is sent. So is, by its
// length, what an asymmetric key would make, which whoever has the public half
// could forge. The service may rotate the key: a wrap names its version, new
// wraps have the newest.
//
// # Tokens
//
// A token is given, or read from a file for every request, or got by
//
//	PUT {url}/v1/auth/{auth mount}/login
//
// for the credentials of an AppRole, of a Kubernetes service account, or for
// the connection's certificate. Such a token is kept, and renewed or replaced
// when two thirds of its time are over, by the call that comes then; nothing
// runs in the background. The key's request and all that goes before it share
// the time of one call.
//
// # Connection
//
// TLS 1.2 or newer; certificate and host name of the server are verified,
// always, against the file ca or the system's. Plain HTTP is refused but for
// loopback addresses (a Vault Agent), unless the options allow it, as a server
// with pg_tde may be set up so. No proxy is used, no environment variable
// counts, and no request is repeated but once after a refused token, if there
// is another to be had. One redirect is followed, as a standby may send one;
// from https to https only. 3 s to connect, 10 s for a call in all, 1 MiB for
// an answer.
//
// # What answers mean
//
//	404                     ErrNoKey; ErrUnavailable if there is no such engine
//	401, 403                ErrPermission
//	2xx, but no key in it   ErrBadKey
//	412, 429, 472, 473      ErrUnavailable: a standby, or too many requests
//	503                     ErrUnavailable: sealed, or no active node
//	all else, or none       ErrUnavailable
//
// A Transit engine says most of it with 400 and a text; see Transit.
package vault
