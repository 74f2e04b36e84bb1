// Package keys holds the keys of an archive: where principal keys come from,
// the epochs whose keys they wrap, and the key chain that records it all.
//
// A principal key lives in a key service (Provider) and is known by a Ref:
// the service's name in the configuration and the key's name in it. It wraps
// epoch keys. An epoch key, 32 random bytes, is never used itself: from it
// come, by HKDF-SHA-256 without salt, with the labels
//
//	walarchive 1 epoch id       the epoch's id, the first 16 bytes
//	walarchive 1 epoch seal     the key that package seal works with
//	walarchive 1 epoch chain    the key of the MACs in the key chain
//
// The id makes every unwrap check itself, whatever did the unwrapping: a key
// of ours here (wraps of kind local, bound to archive, epoch and names), a key
// that never leaves its service (Wrapper; kind transit), whose wraps nothing
// else binds, or the secret half of an escrow recipient (package escrow; kind
// age), which lies in a safe.
//
// # The key chain
//
// The chain is a row of numbered entries, 1 first, each stored under its
// number and never changed. An entry is two lines of text:
//
//	{"v":1,"n":2,"prev":"…","time":"…","host":"…","epoch":{…},"wraps":[…],"data":{…}}
//	1:5d41…c592 2:77b0…01fe
//
// The first is JSON in exactly the form that Entry encodes to; another
// spelling of the same content is refused. Its members:
//
//	v        1; a reader that does not know the version says so and stops
//	n        the entry's number
//	prev     SHA-256 of the whole previous entry, both lines; zeros in entry 1
//	time     when it was written, UTC; a note for people
//	host     where; a note for people
//	archive  entry 1 only: the archive's id, 16 random bytes
//	epoch    the epoch that begins with this entry: number, id, wraps
//	wraps    further wraps of earlier epochs: number, wraps
//	retire   principal keys that must not be used for new wraps
//	escrow   age recipients that every epoch is wrapped to from here on
//	dismiss  recipients to whom that ends
//	data     what the archive's other parts record; opaque here
//
// The second line is one or two MACs: the number of an epoch, a colon, and in
// hexadecimal
//
//	HMAC-SHA-256(chain key of that epoch, "walarchive 1 chain entry" 0x00 || first line without its newline)
//
// Entry 1 opens epoch 1 and has the MAC of epoch 1. An entry that opens epoch
// e+1 has those of e and of e+1; every other entry has that of the epoch open
// at that time. As prev stands in the first line, the MAC of the last entry
// vouches for all before it.
//
// At a time, an epoch's wraps are the newest by each principal key and to each
// recipient that stand in the chain. A new object carries those of the open
// epoch: by principal keys that are not retired, the newest first, then to the
// recipients in escrow (at most MaxEscrow), together at most MaxWraps.
//
// # What a reader trusts
//
// Its own principal keys first: an epoch key that one of them unwraps was made
// by somebody who has it (a wrap of kind local is bound to archive, epoch,
// provider and key name besides). A wrap to an escrow recipient proves nothing,
// for anybody can make one.
//
// So a reader goes back from the open epoch to the newest that is the archive's
// own: one that a principal key unwraps, or epoch 1 if its id is that of the
// Anchor (archive id and id of epoch 1, noted down when the archive was made).
// With a principal key of the open epoch that is the open epoch itself. All
// epochs from there on must unwrap, by whatever, and all MACs under them must
// verify: the key of each epoch vouches for the next. The entries before it are
// vouched for by their digests in those behind, and by their own MACs wherever
// the reader can unwrap their epochs too. If no principal key opens anything
// and no anchor is known, nothing is believed (ErrUnanchored) unless Trust says
// so.
//
// With an anchor the reader also knows that it is the right archive, and not
// another under the same principal key. A Chain once read only grows: an entry
// it has seen is never taken back. A chain cut short at its end is not visible
// in itself; sealed objects carry the newest entry's number and digest for
// that.
package keys
