// Package peerbench measures walarchive beside the archivers that people use
// today, on the same WAL, in the same run: 64 consecutive segments of 16 MiB
// from a pgbench load, pushed and restored one call after the other, as
// PostgreSQL does it. make bench runs it; it needs PostgreSQL and pgBackRest
// from Debian's packages, and takes WAL-G in where its binaries are in PATH.
//
// A round runs every system once, on a directory and on an S3 server on
// loopback with TLS, with compression and encryption on everywhere. Medians
// over the rounds, and their ratio to pgBackRest with archive-async, are what
// counts: machines differ and are shared. Program standin plays PostgreSQL and
// does the measuring.
package peerbench
