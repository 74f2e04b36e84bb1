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
//
// # The event log
//
// An entry of the event log, tde/NNNNNNNN, is sealed like a segment, with kind
// events. Numbers begin at 1. Its content is JSON in the one form that
// json.Marshal gives it, of at most 4 MiB:
//
//	v            1
//	n            the entry's number
//	prev         digest of the content of the entry before; zeros if there was
//	             none, or the writer could not open it
//	rebuilt      on the last entry of a rebuild, the number of its first: those
//	             before that do not count any more
//	incarnation  whose LSNs these are
//	events       a list:
//	  at         timeline, by the name of the WAL file, and LSN: of a record its
//	             own, of anything else the end of the WAL in that file
//	  node       host:data directory of who archived it; the host if rebuilt
//	  info       of a record of pg_tde's: its kind, and
//	  payload    its main data, in base64
//	  snapshot   what the key files said, when they said something new: see
//	             tde.Snapshot
//	  preserved  with a snapshot: the WAL is archived as it is encrypted
//	  source     rebuilt, where a snapshot is lost: which principal key the facts
//	             of a segment name
//	  cut        the file's facts have no room for all its records
//
// Events may be there twice, and in any order. What a segment tells is written
// before the segment is, or, of a record that crosses into the next, before the
// later of both is acknowledged. The facts of a segment name the newest entry
// that its writer knew.
package archive
