package config

import (
	"fmt"
	"log/slog"
	"strings"
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
	return []setting{
		{"cluster.name", text(&c.Cluster.Name, isName), "directory of this cluster in the store"},
		{"cluster.pgdata", text(&c.Cluster.PGData, isAbsolute), "data directory; by default found from the call"},

		{"storage.url", text(&c.Storage.URL, isURL), "where the archive is: file:///srv/wal"},
		{"storage.connect_timeout", duration(&c.Storage.ConnectTimeout, time.Second, time.Hour), "longest wait for the store to answer at all"},
		{"storage.progress_timeout", duration(&c.Storage.ProgressTimeout, time.Second, time.Hour), "longest wait without progress"},

		{"keys.provider", text(&c.Keys.Provider, isName), "provider of the archive's principal key, one of keys.providers"},
		{"keys.principal", text(&c.Keys.Principal, isName), "name of the archive's principal key in that provider"},
		{"keys.anchor", text(&c.Keys.Anchor, isAnchor), "the archive's identity, as init printed it"},

		{"tde.map", pairs(&c.TDE.Map), "path prefixes in pg_tde's provider options, and where they are on this host"},
		{"tde.require_encrypted_restore", boolean(&c.TDE.RequireEncryptedRestore), "refuse to restore in plaintext what was encrypted at its source"},

		{"archive.codec", choice(&c.Archive.Codec, "lz4", "none"), "compression"},
		{"archive.workers", number(&c.Archive.Workers, 0, 256), "frames worked on at once; 0 is one for every core"},

		{"push.timeout", duration(&c.Push.Timeout, time.Second, time.Hour), "longest time a push may take in all"},

		{"restore.retry_for", duration(&c.Restore.RetryFor, 0, 7*24*time.Hour), "how long recovery waits for a store in trouble"},
		{"restore.on_error", choice(&c.Restore.OnError, "auto", "stop", "absent"), "what an error is to PostgreSQL: stop recovery, or an absent file"},
		{"restore.history_on_error", choice(&c.Restore.HistoryOnError, "absent", "stop"), "the same for history files on a standby"},
		{"restore.timeline", timeline(&c.Restore.Timeline), "timeline that the restoring server follows: latest, or its number"},

		{"spool.path", text(&c.Spool.Path, isAbsolute), "directory for small files of the programs' own, outside the data directory"},

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
	c.Keys.Providers = map[string]map[string]string{}
	c.Archive.Codec = "lz4"
	c.Push.Timeout = time.Minute
	c.Restore.RetryFor = 15 * time.Minute
	c.Restore.OnError = "auto"
	c.Restore.HistoryOnError = "absent"
	c.Spool.Path = "/var/spool/walarchive"
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
	if p, option, ok := providerOption(v.key); ok {
		return c.setProvider(p, option, v)
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

// providerOption takes keys.providers.NAME.OPTION apart.
func providerOption(key string) (provider, option string, ok bool) {
	rest, ok := strings.CutPrefix(key, providersKey+".")
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(rest, '.')
	if i < 0 {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

const providersKey = "keys.providers"

func (c *Config) setProvider(name, option string, v value) error {
	if err := isName(name); err != nil {
		return &Error{v.where, fmt.Sprintf("key provider %q: %v", name, err), ""}
	}
	s, ok := v.data.(string)
	if v.data != nil && !ok {
		return &Error{v.where, fmt.Sprintf("%s: wants a text in quotes", v.key), ""}
	}
	if v.data == nil {
		s = v.text
	}
	if c.Keys.Providers[name] == nil {
		c.Keys.Providers[name] = map[string]string{}
		c.seen[providersKey+"."+name] = v.where
	}
	c.Keys.Providers[name][option] = s
	return nil
}
