// Package wal knows PostgreSQL's write-ahead log: how its files are named, how
// timelines branch, and what stands in its pages and records.
//
// It is for PostgreSQL 15 to 18 on little-endian machines, whose structures
// all integers follow here. It takes bytes and gives values: it opens no file,
// holds no state between calls and knows nothing of archives or encryption.
//
//   - Names: LSN, Timeline, Segment and Name print as PostgreSQL prints them
//     and parse what they print. Segment sizes run from 1 MiB to 1 GiB and are
//     never assumed.
//   - Timelines: a History says which timeline left which at which LSN, a Tree
//     joins the histories of a cluster.
//   - Control is what a data directory says of itself in global/pg_control.
//   - Pages and records: a Scanner checks a segment page by page and record by
//     record, and gathers its Facts.
package wal
