// Package seal reads and writes sealed objects, the one form in which WAL
// segments, small files, backup packs and manifests leave the host. It gives
// each object confidentiality, integrity and a name of its own; what the
// content means, and where objects and keys live, others know.
//
// This comment is the specification of version 1. Integers are big-endian.
//
// # Object
//
//	offset  size  field
//	0       8     magic: "WALSEAL" and the format version, 0x01
//	8       4     header length H, 1 to 16384
//	12      H     header
//	12+H    ...   frames: one facts frame, D >= 0 data frames, one final frame
//
// The object ends with its final frame; a byte behind it is an error.
//
// # Header
//
// The header is one JSON object with exactly the members below, in this order,
// without white space. Strings hold only letters, digits and ". _ - /" (and
// base64's "+ =") so that nothing needs an escape: there is one way to write a
// header, and a reader refuses bytes that are not that. Unknown, repeated and
// case-folded keys thereby never pass.
//
//	member      value
//	kind        what the object is: [A-Za-z0-9._-]{1,128}
//	name        its path below the cluster, at most 512 bytes: components as
//	            kind, but not "." or "..", joined by "/"
//	archive     archive id, 32 lower-case hexadecimal digits
//	epoch       epoch id, likewise
//	wraps       1 to 8 wraps of the epoch key, each an object of kind, provider,
//	            key, salt, nonce, box; salt and nonce are left out when empty
//	suite       1
//	codec       "none", "lz4", "s2" or "zstd"
//	frame_size  F, plaintext bytes of a full data frame: a power of two from
//	            1024 to 1048576
//	salt        32 random bytes, fresh in each attempt to write an object
//
// Byte strings are standard base64 with padding. The wraps make an object open
// with a principal key alone, even if every other object is lost. Package crypt
// describes the local wrap; of others only the size is bounded.
//
// Nothing in a header is to be believed before the tag of frame 0 verifies,
// except what is needed to get there.
//
// # Frame
//
//	offset  size  field
//	0       8     number: 0 for facts, then 1, 2, 3, ... without a gap
//	8       1     type: 0 facts, 1 data, 2 final
//	9       1     final flag: 1 in the final frame, 0 in all others
//	10      1     codec of this frame: 1 none, 2 lz4, 3 s2, 4 zstd
//	11      1     zero
//	12      4     plain length P
//	16      4     cipher length C
//	20      C     ciphertext
//	20+C    32    tag
//
// Facts and final frames always have codec none. A data frame has the codec of
// the header, or none where that would not make it smaller. For codec none
// C = P, for all others 0 < C < P, and what is compressed is P bytes as
//
//	lz4   one LZ4 block
//	s2    one S2 block with its length in front (S2 is Snappy's block format
//	      and its extension in github.com/klauspost/compress)
//	zstd  Zstandard frames (RFC 8878) that need no dictionary, and windows of
//	      at most 1 MiB
//
// The facts frame holds 0 to 65536 bytes, given by the writer. Data frame i
// (from 1) holds plaintext bytes [(i-1)*F, i*F): all are full but the last,
// which may be shorter but not empty. The final frame holds 56 bytes:
//
//	0   8   D, the number of data frames
//	8   8   plaintext bytes in all data frames
//	16  8   size of the whole sealed object, this frame included
//	24  32  digest of the plaintext, as package crypt defines it
//
// # Suite 1
//
// Two keys of 32 bytes come from HKDF-SHA-256 (RFC 5869): its secret is the
// epoch's seal key, its salt the header's, its info the ASCII text
//
//	walarchive seal 1 suite 1 PURPOSE archive ARCHIVE epoch EPOCH
//
// with PURPOSE "encrypt" or "authenticate" and both ids in hexadecimal.
//
// A frame's ciphertext is AES-256-CTR (SP 800-38A) of its payload; the first
// counter block is the frame's number in 8 bytes, then 8 zero bytes. A frame
// has at most 65536 blocks, so no two share a counter; the salt makes the keys
// new in every attempt.
//
// A frame's tag is HMAC-SHA-256 (RFC 2104) of: the ASCII text
// "walarchive seal 1 frame"; SHA-256 of the object's first 12+H bytes; the
// frame's first 20 bytes; its ciphertext. Every part but the last has a fixed
// length. Tags are compared in constant time, and before anything is decrypted.
//
// # Reading
//
// A reader releases plaintext of verified frames only, in order, and reports
// success only after the final frame verified, its totals agree, and the object
// ended there. Lengths are checked against F before anything is allocated.
//
// What a reader of the bucket learns: names, times, sizes and the length of
// each frame. Compressed lengths tell something about the content to someone
// who can also write rows; codec none closes that.
//
// # Vectors
//
// fixtures/seal/v1 holds objects of this version, each with what must come of
// opening it: ok, corrupt, misplaced or version. Those named forged verify and
// break a rule nevertheless. They never change; but an object of outcome version
// gets another outcome once the version is known.
package seal
