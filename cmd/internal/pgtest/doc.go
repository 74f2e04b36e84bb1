// Package pgtest runs real PostgreSQL servers with the built walarchive and
// walrestore beside them, the way a DBA does: archive_command, base backup,
// recovery, standby, promotion, pg_rewind.
//
// It is the harness only. The scenarios are this package's tests, behind the
// build tag integration; each proves a promise that only a server can prove,
// and fails, never skips, where a server is missing.
//
// A Server is one data directory and its postmaster, an Archive is one store
// with its configuration and keyring. Both belong to the test that made
// them: everything is stopped and removed when it ends. Failures of the
// harness itself end the test at once, so its methods return no errors.
//
// Servers listen on a unix socket in a directory of their own only, so that
// tests run side by side without sharing ports.
package pgtest
