// Package kmip keeps principal keys in a service that speaks KMIP, the Key
// Management Interoperability Protocol of OASIS, over TLS with certificates
// on both sides. The service's certificate and name are verified, always.
//
// A key is a Symmetric Key object, found by its Name. To fetch one:
//
//	DiscoverVersions   the newest of 1.4 to 1.0 that both sides know; a
//	                   service that does not know the operation has 1.0
//	Locate             Object Type = Symmetric Key, Name = {name, Uninterpreted
//	                   Text String}, at most 16 items
//	Get                by the identifier that was located
//
// Locate and Get have the form in which pg_tde sends them, but for the version,
// so that what pg_tde finds is found here. Names are not unique in KMIP: with
// more than one match the key is refused, not guessed. The answer to Get must
// be the key's plain bytes (format Raw), 16 or 32.
//
// # States
//
// What the service hands out is taken: pg_tde leaves its keys Pre-Active, and
// a key that has been deactivated still opens what it once wrapped. What the
// service refuses to hand out is asked for its State, so that the error can
// tell a deactivated or compromised key from a missing one.
//
// # Creating
//
// Register of 32 random bytes, AES, usage Encrypt and Decrypt, as pg_tde does;
// then Activate, which some services insist on before Get. As nothing in the
// protocol makes names unique, a creator locates the name again after it has
// registered its key. If it sees another one, it destroys its own, waits for a
// random while, and begins anew. So of several creators at most one keeps its
// key: the later of two registrations is always seen by the one who made it.
//
// # Several servers
//
// Servers are tried in the order they are given in, each with a connection of
// its own per call. The next one is tried when one cannot be reached, breaks
// off, or says that it is in trouble; an answer about the key counts. A key is
// registered at one server only, and never again at another: an answer that
// was lost may have been a success.
package kmip
