// Package queue is the agent: a process that works ahead of PostgreSQL's one
// call at a time, and answers those calls over a unix socket.
//
// A call that gets no answer here, for whatever reason, does the work itself:
// all promises of package archive hold with and without an agent. Nothing is
// remembered on disk; after a crash the idempotent push sorts things out.
//
// # The socket
//
// It lies in a directory of mode 0700 of the agent's account, below directories
// in which no other account but root can rename. The agent holds a lock
// (flock) on the file beside it, SOCKET.lock, as long as it lives: so there is
// one agent to a socket, and what a killed one left behind can be removed.
// Both ends ask the kernel who the other is and talk to their own account only.
//
// # The protocol, version 1
//
// A connection carries one call. Every message is four bytes, the length of
// what follows, big-endian and at most 64 KiB, and then one JSON object:
//
//	-> {"protocol":1, "op":"push" or "get", "config":"…", "question":{…}}
//	<- {"working":true, "progress":0}        once each half second, until
//	<- {"answer":{…}}                        what was asked for was done, or
//	<- {"failure":{"kinds":[…], "text":"…", "hint":"…"}}    it failed, or
//	<- {"declined":"…"}                      the agent cannot speak for it
//
// config is a digest of the program's version and of all settings that decide
// what the call means; an agent with another one declines. An agent that is
// silent for longer than Client.Silence hangs: that is how a slow store, during
// which it goes on saying "working", is told from it. A caller that closes the
// connection is not waiting any more.
//
// Failures keep their kind: errors.Is finds the same sentinels on both ends.
package queue
