// Package tde reads the WAL keys of clusters that run pg_tde (Percona) or
// open_pg_tde, and encrypts and decrypts their WAL segments, byte for byte as
// the server does. It does no more than that: whether a decrypted segment is
// sound WAL is for package wal to say; Cipher.Diagnose then names the cause.
//
//	Open(directory) -> Keys (+ principal key from a Fetch) -> Cipher of one segment -> XOR
//
// All integers in pg_tde's files are little-endian; files of big-endian
// machines are refused. A principal key (16 or 32 bytes, in a key provider)
// wraps the internal keys (16 or 32 bytes, independently of it), each of which
// encrypts a range of WAL.
//
// # wal_keys
//
// A header of 320 bytes, then entries to the end of the file: no count, no
// checksum. A missing or empty file is that of a server that never had a key;
// bytes behind the last whole entry are ignored.
//
//	offset  size  field
//	0       4     "WEK", then the version: 1, 2 or 3
//	4       4     arbitrary
//	8       4     database: 1664, the server
//	12      4     id of the key provider, signed; negative: in 1664_providers
//	16      8     when the key was set, seconds since 1970
//	24      8     and microseconds
//	32      256   name of the principal key, NUL-terminated
//	288     16    nonce of the signature
//	304     16    signature
//
// The signature is the tag of AES-GCM under the principal key over nothing,
// with bytes 8..287 as additional data. Everywhere the nonce has 16 bytes, so
// that GCM hashes it into its first counter, and the tag 16.
//
// An entry, by version of the file (1: pg_tde 2.0 and 2.1; 2: pg_tde from 2.2
// and open_pg_tde 2.3; 3: open_pg_tde 2.4), with offsets:
//
//	1         2         3         size  field
//	-         0         0         4     cipher: 0 AES-128, 1 AES-256; in version 1 always AES-128
//	40        4         4         4     range type: 0 superseded, 1 unencrypted, 2 encrypted
//	48        8         24        8     start, LSN
//	56        16        32        4     start, timeline; 4 arbitrary bytes follow
//	64        24        40        16    nonce of the wrap
//	80        40        56        16    tag of the wrap
//	24        56        8         16    base IV of the key stream
//	8         72        72        32    wrapped key, the first 16 or 32 bytes (version 1: size 16)
//	0..7      0..7      0..23           additional data of the wrap
//	96        104       104             size of an entry
//
// A start is set when timeline and LSN are both non-zero. Entries that are
// superseded or have no start yet are skipped; each other one begins a range,
// which ends where the next begins, in file order. Locations before the first
// range are plaintext; the last range has no end. Locations compare by
// timeline first, the timeline of a segment being the one in its name.
//
// # The key stream
//
// Each byte of an encrypted range is XORed with the byte of the same offset in
// the segment's key stream, whose block b (16 bytes) is
//
//	AES(internal key, prefix || le32(b))
//
// The prefix is the upper 96 bits of: base IV as a big-endian number of 128
// bits, bit 32 cleared, plus timeline * 2^112 plus segment number * 2^32,
// modulo 2^128. Ranges may begin at any byte. Nothing authenticates WAL: a
// wrong key gives noise, not an error.
//
// # 1664_providers
//
// Records of 1160 bytes:
//
//	offset  size  field
//	0       4     id, signed
//	4       128   name, NUL-terminated
//	132     1024  options, JSON, NUL-terminated
//	1156    4     type: 0 deleted, 1 file, 2 vault-v2, 3 kmip; the fork: 2 kmip, 3 openbao
//
// Options are one flat object of strings and numbers. Unknown keys are
// errors, null is absent, and of a repeated key the last counts.
//
// # Excerpts
//
// What one segment needs of a key directory is written as JSON: the flavor;
// wal_keys, in base64, a key file of the same version with the header (its
// arbitrary bytes zero), the entries of the ranges that lie in the segment, in
// file order, and of the range behind them an entry with type and start only,
// the rest zero; provider, in base64, the record of the header's provider.
//
// # What tells of principal keys
//
// A database's key file, <oid>_keys, has the header of wal_keys with the magic
// "TDE" and the database's oid; 1663_keys is nothing but the header of the
// default key; an empty file is one without a key. <oid>_providers is like
// 1664_providers. A Snapshot takes these headers and providers together.
//
// The WAL has records of resource manager 140 (see wal.TDEInfo). Of the four
// that tell of principal keys, these are the payloads, with their sizes:
//
//	0x10  312   key added: bytes 8..319 of the key file
//	0x20  264   key rotated: scope, 4; id of the provider, 4; name of the key, 256
//	0x30  1176  provider written: scope, 4; 4 arbitrary; offset in the file of
//	            that scope's providers, 8; the record of 1160 bytes, of type 0
//	            when it is deleted
//	0x60  4     key deleted: scope
//
// A scope is 1664, the server; 1663, the default; or a database's oid. WAL does
// not say which flavor wrote a provider: its options do, for each type has
// other ones. Key files change before their record is written, so a crash can
// leave a change without record, and so does a server that adopts the default
// key. Replay puts both sources together.
package tde
