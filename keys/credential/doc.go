// Package credential keeps the secret that a host shows a key service to get
// in, sealed in a file of that host.
//
// The secret is a token, a secret id, or a private key in PEM with or without
// its certificate: whatever a keys.Secret gives its driver. The file opens
// without anybody at a keyboard, so what protects it is the host: a copy of
// the file alone is of no use, a copy of the whole host is.
//
// A sealed credential is a record, which is one line of JSON in exactly this
// form, and the secret:
//
//	{"walarchive_credential":1,"provider":"kms","host":HEX,"connection":HEX,"time":"2026-01-02T03:04:05Z"}
//
//	walarchive_credential  version of the form
//	provider               name of the key provider in the configuration
//	host                   HMAC-SHA-256 of "walarchive credential" under the
//	                       host's id, the text of /etc/machine-id: machine-id(5)
//	                       asks not to show the id itself. A host without
//	                       that file has the empty id
//	connection             SHA-256 over the options of the provider, so that a
//	                       secret is never shown to another service than the
//	                       one it was sealed for
//	time                   when it was sealed, UTC
//
// There are two ways to seal it.
//
// By a host key: the file has the record as its first line, and as its second
// the base64 of a 12-byte nonce and of the secret encrypted by AES-256-GCM
// (SP 800-38D), with the record, without its line feed, as associated data. The
// key is HKDF-SHA-256 (RFC 5869) of the host key, 32 random bytes in a file of
// another directory, with the info "walarchive 1 credential".
//
// By systemd: the file is what systemd-creds(1) makes of the record, a line
// feed and the secret, under the name walarchive-PROVIDER: encrypted with a key
// of the host, of its TPM, or of both. Only root and systemd open it, so the
// unit of the server has to load it (LoadCredentialEncrypted=), and it is read
// from the directory that systemd names in $CREDENTIALS_DIRECTORY.
package credential
