package command

import (
	"os"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"
)

// AbortOnCrash makes Go's own deaths (a panic, a fatal error of the runtime,
// no more memory) end the process by SIGABRT instead of with code 2, which
// PostgreSQL would read as "the WAL ends here". It is the first statement of a
// program that serves as restore_command.
func AbortOnCrash() {
	debug.SetTraceback("crash")
	forbidCore()
}

// forbidCore keeps the process's memory, and the keys in it, out of core
// files. Where the limit cannot be lowered it is lower already.
func forbidCore() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}

// dieBy ends the process by sig. Process 1 of a container is not killed by
// its own signals: there the code is the shell's, 128 + signal.
func dieBy(sig syscall.Signal) {
	setDefault(sig)
	_ = syscall.Kill(os.Getpid(), sig)
	time.Sleep(time.Second)
	os.Exit(128 + int(sig))
}

// setDefault gives sig the kernel's default action, behind the back of the Go
// runtime, which offers no way to it: signal.Reset restores Go's own handlers.
func setDefault(sig syscall.Signal) {
	var action struct { // struct sigaction of the kernel; all zero is SIG_DFL
		handler, flags, restorer uintptr
		mask                     uint64
	}
	const setSize = 8 // bytes of a signal set
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION,
		uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, setSize, 0, 0)
}
