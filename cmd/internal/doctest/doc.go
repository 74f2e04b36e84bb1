// Package doctest keeps the documentation true: its tests run what the pages
// in docs/ tell an operator to type, compare what the pages say is printed, and
// look up every command, flag and link that they mention. It has no code.
//
// The language of a fenced block says what becomes of it:
//
//	sh        run; every command must succeed
//	console   run; lines after "$ " are commands, the others what they print,
//	          to standard output and standard error together. "…" in a line
//	          stands for anything, a line "…" for any lines. A block that wants
//	          to show an exit code echoes it.
//	toml      must be a configuration without mistakes
//	others    only shown
//
// An HTML comment that begins with "run" holds commands that the reader does
// not see: they make the troubles that the page is about.
//
// The blocks of a page run in order in one bash, in a sandbox: a directory
// that stands for the root of a Debian machine with a server called main of
// PostgreSQL 17. Only this differs from what the page says:
//
//   - paths below /etc, /srv, /mnt and /var lie below the sandbox, also in the
//     files that the blocks write;
//   - /usr/local/bin has the programs just built, and /usr/lib/postgresql/17/bin
//     is that of the newest installed version;
//   - sudo and systemctl are small scripts: sudo becomes the server's account,
//     systemctl drives the server main with pg_ctl, with the PATH that Debian
//     gives its servers;
//   - the default places of configuration and spool, and those of psql, come
//     from the environment, as they lie in the sandbox;
//   - where no server runs, the data directory is a recorded one;
//   - there, and where not root runs the test, everything belongs to whoever
//     does, and install and chown keep it so.
package doctest
