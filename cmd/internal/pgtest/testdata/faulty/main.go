// Command faulty is a restore_command that dies as a defect of ours would. It
// runs as walrestore runs. Its argument says how.
package main

import (
	"context"
	"syscall"
	"time"

	"walarchive/cmd/internal/command"
)

func main() {
	command.AbortOnCrash()
	command.Main(func(_ context.Context, p command.Process) int {
		switch p.Args[0] {
		case "panic":
			panic("a defect")
		case "fatal":
			writeTwice(map[int]int{})
		case "memory":
			return eat()
		}
		return 0
	})
}

// eat asks for more memory than the process may have.
func eat() int {
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{}); err != nil {
		return 0
	}
	return len(make([]byte, 1<<30))
}

// writeTwice makes the runtime find two writers of one map, which it does not
// let a program survive.
func writeTwice(m map[int]int) {
	for n := range 8 {
		go func() {
			for {
				m[n]++
			}
		}()
	}
	time.Sleep(time.Minute)
}
