package config

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// setting is one thing that can be configured.
type setting struct {
	key   string // section.name, as in the file
	field field
	doc   string
}

// settings binds the table of all settings to c.
func (c *Config) settings() []setting {
	return slices.Concat([]setting{
		{"cluster.name", text(&c.Cluster.Name, isName), "directory of this cluster in the store"},
		{"cluster.pgdata", text(&c.Cluster.PGData, isAbsolute), "data directory; by default found from the call"},

		{"storage.url", text(&c.Storage.URL, isURL), "where the archive is: file:///srv/wal, s3://bucket/prefix, gs:// or azblob://"},
		{"storage.connect_timeout", duration(&c.Storage.ConnectTimeout, time.Second, time.Hour), "longest wait for the store to answer at all"},
		{"storage.progress_timeout", duration(&c.Storage.ProgressTimeout, time.Second, time.Hour), "longest wait without progress"},
		{"storage.total_timeout", duration(&c.Storage.TotalTimeout, time.Minute, 30*24*time.Hour), "longest time for one whole call, however slowly it goes on"},
		{"storage.quorum", number(&c.Storage.Quorum, 0, 1+maxMirrors), "stores that must have what push stores, storage.url among them; 0 is all"},
		{"storage.accept_unconditional_put", boolean(&c.Storage.AcceptUnconditionalPut), "archive to a store that ignores conditions, where a second server can replace WAL"},
		{"storage.request_rate", number(&c.Storage.RequestRate, 0, 100000), "requests a second to each store; 0 is no bound"},
		{"storage.bulk_rate", number(&c.Storage.BulkRate, 0, 100000), "MiB a second that verify and mirror read; 0 is no bound"},
	}, kindSettings("storage", &c.Storage.Store), []setting{
		{"keys.provider", text(&c.Keys.Provider, isName), "provider of the archive's principal key, one of keys.providers"},
		{"keys.principal", text(&c.Keys.Principal, isName), "name of the archive's principal key in that provider"},
		{"keys.host_key", text(&c.Keys.HostKey, isAbsolute), "file with the key that seals this host's credentials"},
		{"keys.anchor", text(&c.Keys.Anchor, isAnchor), "the archive's identity, as init printed it"},

		{"tde.mode", choice(&c.TDE.Mode, "reseal", "preserve"), "how segments that pg_tde encrypts are stored: decrypted and sealed, or sealed as they are"},
		{"tde.map", pairs(&c.TDE.Map), "path prefixes in pg_tde's provider options, and where they are on this host"},
		{"tde.require_encrypted_restore", boolean(&c.TDE.RequireEncryptedRestore), "refuse to restore in plaintext what was encrypted at its source"},

		{"archive.codec", choice(&c.Archive.Codec, "s2", "lz4", "zstd", "none"), "compression of what is written from now on; everything is read whatever stands here"},
		{"archive.workers", number(&c.Archive.Workers, 0, 256), "pieces of 2 MiB sealed at once, for 4 MiB of memory each, and objects verified at once; 0 is one for every core, for sealing at most 2"},

		{"push.timeout", duration(&c.Push.Timeout, time.Second, time.Hour), "longest time a push may take in all"},

		{"restore.retry_for", duration(&c.Restore.RetryFor, 0, 7*24*time.Hour), "how long recovery waits for a store in trouble"},
		{"restore.on_error", choice(&c.Restore.OnError, "auto", "stop", "absent"), "what an error is to PostgreSQL: stop recovery, or an absent file"},
		{"restore.history_on_error", choice(&c.Restore.HistoryOnError, "absent", "stop"), "the same for history files on a standby"},
		{"restore.timeline", timeline(&c.Restore.Timeline), "timeline that the restoring server follows: latest, or its number"},

		{"spool.path", text(&c.Spool.Path, isAbsolute), "directory for small files of the programs' own, outside the data directory"},

		{"agent.socket", text(&c.Agent.Socket, isAbsolute), "socket of the agent; by default in the spool"},
		{"agent.autostart", boolean(&c.Agent.Autostart), "let the first push start an agent where none runs"},
		{"agent.idle", duration(&c.Agent.Idle, time.Second, 24*time.Hour), "time without a call after which an agent started so ends"},
		{"agent.workers", number(&c.Agent.Workers, 1, 64), "files that the agent pushes ahead at once"},
		{"agent.memory", number(&c.Agent.Memory, 16, 65536), "MiB that the agent may use for segments in the works"},
		{"agent.prefetch", number(&c.Agent.Prefetch, 0, 64), "segments that the agent fetches ahead of a recovery at most; 0 fetches none"},
		{"agent.spool", number(&c.Agent.Spool, 0, 1<<20), "MiB of the spool for what was fetched ahead and does not fit into memory"},
		{"agent.metrics", text(&c.Agent.Metrics, isAddress), "where the agent offers metrics for Prometheus, such as 127.0.0.1:9188; by default nowhere"},

		{"verify.accepted_gaps", list(&c.Verify.AcceptedGaps, isGap), "segments known to be missing: FIRST..LAST"},

		{"log.level", level(&c.Log.Level), "debug, info, warn or error"},
		{"log.format", format(&c.Log.JSON), "text or json"},
	})
}

// defaults is the configuration that nobody has said anything about.
func defaults() *Config {
	c := &Config{seen: map[string]string{}}
	c.Cluster.Name = "main"
	c.Storage.ConnectTimeout = 5 * time.Second
	c.Storage.ProgressTimeout = 20 * time.Second
	c.Storage.TotalTimeout = 24 * time.Hour
	c.Storage.S3.PathStyle, c.Storage.S3.PartSize, c.Storage.S3.Concurrency = "auto", 16, 4
	c.Storage.GCS.PartSize = 16
	c.Storage.Azure.PartSize, c.Storage.Azure.Concurrency = 16, 4
	c.Keys.Providers = map[string]map[string]string{}
	c.TDE.Mode = "reseal"
	c.TDE.Providers = map[string]map[string]string{}
	c.Keys.HostKey = "/var/lib/walarchive/host.key"
	c.Archive.Codec = "s2"
	c.Push.Timeout = time.Minute
	c.Restore.RetryFor = 15 * time.Minute
	c.Restore.OnError = "auto"
	c.Restore.HistoryOnError = "absent"
	c.Spool.Path = "/var/spool/walarchive"
	c.Agent.Idle, c.Agent.Workers, c.Agent.Memory = 10*time.Minute, 2, 64
	c.Agent.Prefetch, c.Agent.Spool = 16, 256
	c.Log.Level = slog.LevelWarn
	return c
}

// value is what one source says about one setting.
type value struct {
	key   string
	where string
	data  any    // from the file
	text  string // from elsewhere, if data is nil
}

// apply sets one setting.
func (c *Config) apply(v value) error {
	if o, ok := parseOption(v.key); ok {
		return c.setOption(o, v)
	}
	all := c.settingsFor(v.key)
	for _, s := range all {
		if s.key != v.key {
			continue
		}
		c.seen[s.key] = v.where
		var err error
		if v.data != nil {
			err = s.field.fromData(v.data)
		} else {
			err = s.field.fromText(v.text)
		}
		if err != nil {
			return &Error{v.where, fmt.Sprintf("%s: %v", s.key, err), s.key + ": " + s.doc}
		}
		return nil
	}
	return &Error{v.where, fmt.Sprintf("unknown setting %s", v.key), nearest(v.key, all)}
}
