// Package agent is how the commands use the agent of package queue: where it
// is, asking it, being it, starting it.
package agent
