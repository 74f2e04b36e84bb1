// Package archive keeps the WAL of a PostgreSQL cluster in a bucket: what
// walarchive push and walrestore get do, and the checks that say whether a
// recovery will work.
//
// Bytes flow one way through it:
//
//	push  segment file -> decrypt (pg_tde) -> scan, canonical form -> seal -> bucket
//	get   bucket -> open -> check -> encrypt (pg_tde) -> segment file
//
// In the mode Preserve, push leaves out what lies between the file and the seal,
// and get does it, with the keys that the object's facts name:
//
//	push  segment file -> seal -> bucket
//	get   bucket -> open -> decrypt, scan, canonical form -> check -> encrypt -> segment file
//
// An Archive is made by Init, opened by Open, and belongs to one cluster. Its
// objects are written once and never replaced; their names are formed in
// layout.go alone:
//
//	cluster.json                                       a hint for people, never trusted
//	keys/NNNNNNNN                                      key chain (package keys)
//	tde/NNNNNNNN                                       event log of pg_tde's principal keys, sealed
//	wal/<incarnation>/<timeline>/<log>/<segment>       sealed segment, or <segment>.partial
//	wal/<incarnation>/<timeline>/<log>/<segment>.node-<node>  a further node's preserved copy of it
//	wal/<incarnation>/<timeline>/<name>                sealed .history or .backup file
//	quarantine/<incarnation>/<timeline>/<name>.<n>     sealed bytes of a file that was not accepted
//	damaged/<object>.<n>                               an object moved away by repair, and its .record
//	probe/<random>                                     of a check of the store; gone again if that may delete
//
// An incarnation is one (system identifier, PostgreSQL major version, segment
// size). The first is opened by Init, further ones by Init with Next after
// pg_upgrade, initdb or a change of the segment size.
//
// Facts about a segment, all a planner needs to know without reading it, lie
// in the first frame of its object: see Facts.
package archive
