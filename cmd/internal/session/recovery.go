package session

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"walarchive/cmd/internal/command"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

// Recovery is what opens an archive whose principal keys are gone.
type Recovery struct {
	Identities      []escrow.Identity
	TrustUnanchored bool
	Wraps           []keys.EpochWraps // from an export
}

func startRecovery(c *cli.Context) (Recovery, error) {
	r := Recovery{TrustUnanchored: c.Bool(command.UnanchoredFlag)}
	file := c.String(command.IdentityFlag)
	if file == "" {
		return r, nil
	}
	b, err := readLimited(file, escrow.MaxIdentityFile)
	if err != nil {
		return r, fmt.Errorf("--%s: %w", command.IdentityFlag, err)
	}
	defer clear(b)
	if r.Identities, err = escrow.ParseIdentities(b); err != nil {
		err = command.WithHint(fmt.Errorf("--%s %s: %w", command.IdentityFlag, file, err),
			"the file of the safe, in plain; encrypted with a passphrase: age --decrypt FILE | … --identity /dev/stdin")
	}
	return r, err
}

// readLimited reads a file, which may be a pipe, of at most limit bytes.
func readLimited(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", file, limit)
	}
	return b, err
}
