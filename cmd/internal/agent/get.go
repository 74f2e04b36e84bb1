package agent

import (
	"context"

	"walarchive/archive"
	"walarchive/cmd/internal/session"
)

// Get has the agent deliver WAL files to d's server; see pitr.Restorer.Agent.
func Get(s *session.Session, d *archive.DataDir) func(context.Context, string, string, archive.GetOptions) (*archive.Got, error) {
	return func(ctx context.Context, name, dest string, o archive.GetOptions) (*archive.Got, error) {
		c, err := client(s, d)
		if err != nil {
			return nil, err
		}
		got, err := c.Get(ctx, d, name, dest, o)
		say(s, err)
		return got, err
	}
}
