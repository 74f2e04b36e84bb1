package archive

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A chain that was cut short looks like one that was never longer. So this host
// notes down, in the spool, how far it has seen the chain go, and never believes
// a shorter one or another after that. The note is lost with the spool, and
// then made anew.

// recall holds the chain against what this host has seen of it before.
func (a *Archive) recall() error {
	if a.Spool == "" {
		return nil
	}
	b, err := os.ReadFile(a.seenFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.noteSeen(ChainTip{})
	case err != nil:
		a.Log.Debug("how far the key chain went when it was last read is not known", "reason", err)
		return nil
	}
	var seen ChainTip
	if err := json.Unmarshal(b, &seen); err != nil {
		return a.noteSeen(ChainTip{})
	}
	got, ok := a.chain.Digest(seen.Number)
	if !ok && a.partial {
		return nil
	}
	if got != seen.Digest {
		err := fmt.Errorf("%w: this host has seen entry %d, which is not there as it was", ErrRolledBack, seen.Number)
		return advise(err, "restore the objects under keys/ from a copy of the bucket, or by walarchive keys import; if they are lost for good, remove %s", a.seenFile())
	}
	return a.noteSeen(seen)
}

// noteSeen notes that the chain goes farther than before. Without the note a
// later call knows less, and nothing else.
func (a *Archive) noteSeen(before ChainTip) error {
	n, digest := a.chain.Tip()
	if a.Spool == "" || n <= before.Number {
		return nil
	}
	b, err := json.Marshal(ChainTip{n, digest})
	if err != nil {
		return err
	}
	if err := replaceFile(a.seenFile(), b); err != nil {
		a.Log.Debug("how far the key chain goes could not be noted down", "reason", err)
	}
	return nil
}

// seenFile is where the note lies, by archive: one that was made anew under the
// same name has another.
func (a *Archive) seenFile() string {
	id := sha256.Sum256([]byte(a.chain.Anchor().String()))
	return filepath.Join(a.Spool, fmt.Sprintf("chain-%x.json", id[:8]))
}
