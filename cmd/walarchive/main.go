// Command walarchive archives PostgreSQL's WAL and looks after the archive.
package main

import (
	"walarchive/cmd/internal/command"
	"walarchive/cmd/internal/walarchive"
)

func main() { command.Main(walarchive.Run) }
