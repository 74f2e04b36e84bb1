// Command walrestore brings PostgreSQL's WAL back from the archive.
package main

import (
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/walrestore"
)

func main() {
	command.AbortOnCrash() // first: whatever breaks from here on stops a recovery
	command.Main(walrestore.Run)
}
