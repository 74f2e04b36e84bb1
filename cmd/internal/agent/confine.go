package agent

import (
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"walarchive/cmd/internal/config"
)

// overhead is what the agent takes beside segments: the runtime, connections,
// the objects of SDKs.
const overhead = 24 << 20 // bytes

// confine makes this process keep its keys to itself, and its memory small:
// no core file (that is the rule for all commands), no debugger, no swap where
// the limits allow to lock memory.
func confine(c *config.Config) error {
	debug.SetMemoryLimit(int64(c.Agent.Memory)<<20 + overhead)
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	var lock unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lock); err != nil {
		return err
	}
	if lock.Cur != unix.RLIM_INFINITY {
		return nil // with a limit, whoever hits it later would die of it
	}
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}

// resetOOM gives up the protection from the kernel's out-of-memory killer that
// a server may have been given: it is not meant for its children.
func resetOOM() error { return os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0) }
