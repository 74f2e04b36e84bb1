package config

import (
	"fmt"
	"log/slog"
	"time"
)

// century is the longest time span to retain objects for.
const century = 100 * 365 * 24 * time.Hour

// setting is one thing that can be configured.
type setting struct {
	key   string // section.name, as in the file
	field field
	doc   string
}

// settings binds the table of all settings to c.
func (c *Config) settings() []setting {
	return []setting{
		{"cluster.name", text(&c.Cluster.Name, isName), "directory of this cluster in the store"},
		{"cluster.pgdata", text(&c.Cluster.PGData, isAbsolute), "data directory; by default found from the call"},

		{"storage.url", text(&c.Storage.URL, isURL), "where the archive is: file:///srv/wal, s3://bucket/prefix, gs:// or azblob://"},
		{"storage.connect_timeout", duration(&c.Storage.ConnectTimeout, time.Second, time.Hour), "longest wait for the store to answer at all"},
		{"storage.progress_timeout", duration(&c.Storage.ProgressTimeout, time.Second, time.Hour), "longest wait without progress"},

		{"storage.s3.endpoint", text(&c.Storage.S3.Endpoint, isURL), "URL of an S3 store other than AWS"},
		{"storage.s3.region", text(&c.Storage.S3.Region, isName), "region of the bucket; by default the SDK's"},
		{"storage.s3.profile", text(&c.Storage.S3.Profile, isName), "profile in the shared files of the AWS SDK"},
		{"storage.s3.path_style", choice(&c.Storage.S3.PathStyle, "auto", "always", "never"), "the bucket's name in the path of URLs; auto: unless the store is AWS"},
		{"storage.s3.ca_file", text(&c.Storage.S3.CAFile, isAbsolute), "certificates to trust beside the system's, PEM"},
		{"storage.s3.storage_class", text(&c.Storage.S3.StorageClass, isName), "by default the bucket's"},
		{"storage.s3.encryption", choice(&c.Storage.S3.Encryption, "AES256", "aws:kms", "aws:kms:dsse"), "encryption by the store; by default the bucket's"},
		{"storage.s3.encryption_key", text(&c.Storage.S3.EncryptionKey, isAny), "id of the KMS key for that"},
		{"storage.s3.retain_mode", choice(&c.Storage.S3.RetainMode, "GOVERNANCE", "COMPLIANCE"), "object lock; by default the bucket's"},
		{"storage.s3.retain_for", duration(&c.Storage.S3.RetainFor, time.Hour, century), "how long objects are locked"},
		{"storage.s3.part_size", number(&c.Storage.S3.PartSize, 5, 5120), "MiB in a part of a large object"},
		{"storage.s3.concurrency", number(&c.Storage.S3.Concurrency, 1, 64), "parts on their way at once, all in memory"},

		{"storage.gcs.endpoint", text(&c.Storage.GCS.Endpoint, isURL), "URL of a store other than Google's"},
		{"storage.gcs.anonymous", boolean(&c.Storage.GCS.Anonymous), "send no credentials, for emulators"},
		{"storage.gcs.ca_file", text(&c.Storage.GCS.CAFile, isAbsolute), "certificates to trust beside the system's, PEM"},
		{"storage.gcs.storage_class", text(&c.Storage.GCS.StorageClass, isName), "by default the bucket's"},
		{"storage.gcs.encryption_key", text(&c.Storage.GCS.EncryptionKey, isAny), "full name of the KMS key; by default the bucket's"},
		{"storage.gcs.retain_mode", choice(&c.Storage.GCS.RetainMode, "Locked", "Unlocked"), "object retention; by default the bucket's policy"},
		{"storage.gcs.retain_for", duration(&c.Storage.GCS.RetainFor, time.Hour, century), "how long objects are retained"},
		{"storage.gcs.part_size", number(&c.Storage.GCS.PartSize, 1, 1024), "MiB in a part of a large object, in memory"},

		{"storage.azure.account", text(&c.Storage.Azure.Account, isName), "storage account"},
		{"storage.azure.endpoint", text(&c.Storage.Azure.Endpoint, isURL), "URL of the account's blob service where it is not Azure's"},
		{"storage.azure.connection_string_file", text(&c.Storage.Azure.ConnectionStringFile, isAbsolute), "file with a connection string"},
		{"storage.azure.sas_file", text(&c.Storage.Azure.SASFile, isAbsolute), "file with a shared access signature"},
		{"storage.azure.key_file", text(&c.Storage.Azure.KeyFile, isAbsolute), "file with a key of the account"},
		{"storage.azure.ca_file", text(&c.Storage.Azure.CAFile, isAbsolute), "certificates to trust beside the system's, PEM"},
		{"storage.azure.tier", choice(&c.Storage.Azure.Tier, "Hot", "Cool", "Cold"), "access tier; by default the account's"},
		{"storage.azure.encryption_scope", text(&c.Storage.Azure.EncryptionScope, isName), "by default the container's"},
		{"storage.azure.retain_mode", choice(&c.Storage.Azure.RetainMode, "Locked", "Unlocked"), "immutability; by default the container's"},
		{"storage.azure.retain_for", duration(&c.Storage.Azure.RetainFor, time.Hour, century), "how long objects are immutable"},
		{"storage.azure.part_size", number(&c.Storage.Azure.PartSize, 1, 4000), "MiB in a block of a large object"},
		{"storage.azure.concurrency", number(&c.Storage.Azure.Concurrency, 1, 64), "blocks on their way at once, all in memory"},

		{"keys.provider", text(&c.Keys.Provider, isName), "provider of the archive's principal key, one of keys.providers"},
		{"keys.principal", text(&c.Keys.Principal, isName), "name of the archive's principal key in that provider"},
		{"keys.host_key", text(&c.Keys.HostKey, isAbsolute), "file with the key that seals this host's credentials"},
		{"keys.anchor", text(&c.Keys.Anchor, isAnchor), "the archive's identity, as init printed it"},

		{"tde.map", pairs(&c.TDE.Map), "path prefixes in pg_tde's provider options, and where they are on this host"},
		{"tde.require_encrypted_restore", boolean(&c.TDE.RequireEncryptedRestore), "refuse to restore in plaintext what was encrypted at its source"},

		{"archive.codec", choice(&c.Archive.Codec, "lz4", "s2", "zstd", "none"), "compression of what is written from now on; everything is read whatever stands here"},
		{"archive.workers", number(&c.Archive.Workers, 0, 256), "frames worked on at once; 0 is one for every core"},

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
		{"agent.memory", number(&c.Agent.Memory, 2, 65536), "MiB that the agent may use for segments in the works"},
		{"agent.prefetch", number(&c.Agent.Prefetch, 0, 64), "segments that the agent fetches ahead of a recovery at most; 0 fetches none"},
		{"agent.spool", number(&c.Agent.Spool, 0, 1<<20), "MiB of the spool for what was fetched ahead and does not fit into memory"},

		{"verify.accepted_gaps", list(&c.Verify.AcceptedGaps, isGap), "segments known to be missing: FIRST..LAST"},

		{"log.level", level(&c.Log.Level), "debug, info, warn or error"},
		{"log.format", format(&c.Log.JSON), "text or json"},
	}
}

// defaults is the configuration that nobody has said anything about.
func defaults() *Config {
	c := &Config{seen: map[string]string{}}
	c.Cluster.Name = "main"
	c.Storage.ConnectTimeout = 5 * time.Second
	c.Storage.ProgressTimeout = 20 * time.Second
	c.Storage.S3.PathStyle, c.Storage.S3.PartSize, c.Storage.S3.Concurrency = "auto", 16, 4
	c.Storage.GCS.PartSize = 16
	c.Storage.Azure.PartSize, c.Storage.Azure.Concurrency = 16, 4
	c.Keys.Providers = map[string]map[string]string{}
	c.TDE.Providers = map[string]map[string]string{}
	c.Keys.HostKey = "/var/lib/walarchive/host.key"
	c.Archive.Codec = "lz4"
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
	all := c.settings()
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
