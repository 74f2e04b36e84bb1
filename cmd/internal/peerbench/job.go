package peerbench

// Job is a loop over segments, for the program standin.
type Job struct {
	Restore  bool     // false: push
	Command  string   // as in postgresql.conf, with %f and %p
	Data     string   // data directory, where the command runs
	Segments []string // names, in order
	Daemon   []string // started before the clock; empty: none
	Socket   string   // there when the daemon is ready
	Environ  []string
}

// Result is what a loop took.
type Result struct {
	Wall    float64 // seconds, the sum of all calls
	Slowest float64 // seconds, of one call
	CPU     float64 // seconds, user and system, of all processes
	Peak    int64   // bytes, the largest process's resident memory
	Daemon  int64   // bytes, the daemon's alone
}
