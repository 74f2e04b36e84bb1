// Package config turns a TOML file, the environment and command line flags
// into one plain, checked Config.
//
// Later sources override earlier ones: defaults, file, environment, flags. A
// setting has one name everywhere: storage.url in the file and after --set,
// WALARCHIVE_STORAGE_URL in the environment. The table in settings.go is the
// only list of them. A name that is not in it is an error wherever it appears:
// a misspelled setting must not silently mean its default.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"walarchive/archive/wal"
	"walarchive/storage/all"
)

// DefaultFile is read when neither --config nor WALARCHIVE_CONFIG names one.
// It may be absent: in containers the environment often says everything.
const DefaultFile = "/etc/walarchive/walarchive.toml"

const (
	// fileVariable names the configuration file.
	fileVariable = prefix + "CONFIG"
	// credentialsVariable names the directory of the credentials that systemd
	// opened for a unit, see systemd.exec(5).
	credentialsVariable = "CREDENTIALS_DIRECTORY"
)

// Config is everything the programs can be told.
type Config struct {
	Cluster struct {
		Name   string // the archive's directory in the store
		PGData string // absolute; empty: found from the call
	}
	Storage struct {
		Store           // the first; its URL is required by whatever touches the archive
		ConnectTimeout  time.Duration
		ProgressTimeout time.Duration
		TotalTimeout    time.Duration
		Quorum          int     // stores that must have what is written, the first included; 0: all
		Mirrors         []Store // of the first

		AcceptUnconditionalPut bool // of stores that ignore conditions

		RequestRate int // requests a second to each store; 0: no bound
		BulkRate    int // MiB a second that work in bulk reads; 0: no bound
	}
	Keys struct {
		Provider  string                       // one of Providers
		Principal string                       // our principal key's name there
		Anchor    string                       // empty: trust is in the principal key alone
		Providers map[string]map[string]string // name -> options, "type" among them
		HostKey   string                       // absolute: seals this host's credentials
		Loaded    string                       // directory of credentials that systemd opened; may be empty
	}
	TDE struct {
		Mode                    string                       // reseal or preserve
		Map                     map[string]string            // path prefix in provider options -> where it is here
		Providers               map[string]map[string]string // pg_tde's, by name in lower case -> options that differ here
		RequireEncryptedRestore bool
	}
	Archive struct {
		Codec   string // a name that seal.ParseCodec knows
		Workers int    // 0: one for every core, for sealing at most 2
	}
	Push struct {
		Timeout time.Duration // in all
	}
	Restore struct {
		RetryFor       time.Duration
		OnError        string       // auto, stop, absent
		HistoryOnError string       // absent, stop
		Timeline       wal.Timeline // 0: latest
	}
	Spool struct {
		Path string // absolute
	}
	Agent struct {
		Socket    string        // absolute; empty: below Spool.Path
		Autostart bool          // by the first push
		Idle      time.Duration // after which one started so ends
		Workers   int           // files pushed ahead at once
		Memory    int           // MiB of segments in the works
		Prefetch  int           // segments fetched ahead at most
		Spool     int           // MiB of the spool for them
		Metrics   string        // host:port; empty: none
	}
	Verify struct {
		AcceptedGaps []string // SEG..SEG, both included
	}
	Log struct {
		Level slog.Level
		JSON  bool
	}

	source string            // the file, for messages
	seen   map[string]string // where a setting was given, by key
}

// File is the configuration file that was read; empty if there was none.
func (c *Config) File() string { return c.source }

// Store is one place for the archive.
type Store struct {
	URL   string
	S3    all.S3
	GCS   all.GCS
	Azure all.Azure
}

// Sources are the places a Config comes from.
type Sources struct {
	File     string   // from --config; empty: from the environment, else DefaultFile
	Environ  []string // NAME=value
	Set      []string // KEY=VALUE, from --set
	Defaults []string // KEY=VALUE, known from elsewhere; weaker than all the others
}

// Error is a mistake in the configuration, with where it was made.
type Error struct {
	Where  string // "walarchive.toml:12", the variable, or the flag
	Reason string
	Advice string
}

func (e *Error) Error() string {
	if e.Where == "" {
		return e.Reason
	}
	return e.Where + ": " + e.Reason
}

// Hint is what to do about it; may be empty.
func (e *Error) Hint() string { return e.Advice }

// Load reads and checks the configuration. Every mistake is an *Error.
func Load(src Sources) (*Config, error) {
	c := defaults()
	file, text, err := readFile(src)
	if err != nil {
		return nil, err
	}
	c.source = file
	values, err := fileValues(file, text)
	if err != nil {
		return nil, err
	}
	known, err := flagValues(src.Defaults)
	if err != nil {
		return nil, err
	}
	values = slices.Concat(known, values, environValues(src.Environ))
	set, err := flagValues(src.Set)
	if err != nil {
		return nil, err
	}
	for _, v := range append(values, set...) {
		if err := c.apply(v); err != nil {
			return nil, err
		}
	}
	c.Keys.Loaded = lookup(src.Environ, credentialsVariable)
	if err := c.readConnections(); err != nil {
		return nil, err
	}
	return c, c.check()
}

// readFile finds and reads the configuration file. The default file may be
// absent; one that was asked for may not.
func readFile(src Sources) (name string, text []byte, err error) {
	name = src.File
	if name == "" {
		name = lookup(src.Environ, fileVariable)
	}
	asked := name != ""
	if !asked {
		name = DefaultFile
	}
	text, err = os.ReadFile(name)
	switch {
	case err == nil:
		return name, text, nil
	case !asked && errors.Is(err, fs.ErrNotExist):
		return "", nil, nil
	case errors.Is(err, fs.ErrPermission):
		return "", nil, &Error{name, "cannot be read: permission denied", "PostgreSQL runs the commands as its own user: that user must be able to read the file"}
	}
	return "", nil, &Error{"", fmt.Sprintf("configuration file: %v", err), "--config or " + fileVariable + " names the file"}
}
