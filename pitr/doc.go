// Package pitr brings archived WAL back to a server: it knows what the server
// that asks is doing, how long it may be kept waiting, and what PostgreSQL
// makes of each answer.
//
// PostgreSQL reads the exit status of restore_command: 0, the file is there;
// 1 to 125, there is no such file, so recovery ends or a standby turns to
// streaming; above 125, recovery stops with FATAL. An answer of "no such file"
// that is not true can open a database with its newest data missing. So Absent
// is given for a confirmed end of the archive alone. A standby that streams is
// the exception: FATAL would take it down and waiting would keep it from
// streaming and from being promoted, while an absent file costs it nothing.
package pitr
