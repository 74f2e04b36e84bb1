package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// century is the longest time span to retain objects for.
const century = 100 * 365 * 24 * time.Hour

// kindSettings are what a URL does not say about a store: the settings of each
// kind of store, below at.
func kindSettings(at string, s *Store) []setting {
	return []setting{
		{at + ".s3.endpoint", text(&s.S3.Endpoint, isURL), "URL of an S3 store other than AWS"},
		{at + ".s3.region", text(&s.S3.Region, isName), "region of the bucket; by default the SDK's"},
		{at + ".s3.profile", text(&s.S3.Profile, isName), "profile in the shared files of the AWS SDK"},
		{at + ".s3.path_style", choice(&s.S3.PathStyle, "auto", "always", "never"), "the bucket's name in the path of URLs; auto: unless the store is AWS"},
		{at + ".s3.ca_file", text(&s.S3.CAFile, isAbsolute), "certificates to trust beside the system's, PEM"},
		{at + ".s3.storage_class", text(&s.S3.StorageClass, isName), "by default the bucket's"},
		{at + ".s3.encryption", choice(&s.S3.Encryption, "AES256", "aws:kms", "aws:kms:dsse"), "encryption by the store; by default the bucket's"},
		{at + ".s3.encryption_key", text(&s.S3.EncryptionKey, isAny), "id of the KMS key for that"},
		{at + ".s3.retain_mode", choice(&s.S3.RetainMode, "GOVERNANCE", "COMPLIANCE"), "object lock; by default the bucket's"},
		{at + ".s3.retain_for", duration(&s.S3.RetainFor, time.Hour, century), "how long objects are locked"},
		{at + ".s3.part_size", number(&s.S3.PartSize, 5, 5120), "MiB in a part of a large object"},
		{at + ".s3.concurrency", number(&s.S3.Concurrency, 1, 64), "parts on their way at once, all in memory"},

		{at + ".gcs.endpoint", text(&s.GCS.Endpoint, isURL), "URL of a store other than Google's"},
		{at + ".gcs.anonymous", boolean(&s.GCS.Anonymous), "send no credentials, for emulators"},
		{at + ".gcs.ca_file", text(&s.GCS.CAFile, isAbsolute), "certificates to trust beside the system's, PEM"},
		{at + ".gcs.storage_class", text(&s.GCS.StorageClass, isName), "by default the bucket's"},
		{at + ".gcs.encryption_key", text(&s.GCS.EncryptionKey, isAny), "full name of the KMS key; by default the bucket's"},
		{at + ".gcs.retain_mode", choice(&s.GCS.RetainMode, "Locked", "Unlocked"), "object retention; by default the bucket's policy"},
		{at + ".gcs.retain_for", duration(&s.GCS.RetainFor, time.Hour, century), "how long objects are retained"},
		{at + ".gcs.part_size", number(&s.GCS.PartSize, 1, 1024), "MiB in a part of a large object, in memory"},

		{at + ".azure.account", text(&s.Azure.Account, isName), "storage account"},
		{at + ".azure.endpoint", text(&s.Azure.Endpoint, isURL), "URL of the account's blob service where it is not Azure's"},
		{at + ".azure.connection_string_file", text(&s.Azure.ConnectionStringFile, isAbsolute), "file with a connection string"},
		{at + ".azure.sas_file", text(&s.Azure.SASFile, isAbsolute), "file with a shared access signature"},
		{at + ".azure.key_file", text(&s.Azure.KeyFile, isAbsolute), "file with a key of the account"},
		{at + ".azure.ca_file", text(&s.Azure.CAFile, isAbsolute), "certificates to trust beside the system's, PEM"},
		{at + ".azure.tier", choice(&s.Azure.Tier, "Hot", "Cool", "Cold"), "access tier; by default the account's"},
		{at + ".azure.encryption_scope", text(&s.Azure.EncryptionScope, isName), "by default the container's"},
		{at + ".azure.retain_mode", choice(&s.Azure.RetainMode, "Locked", "Unlocked"), "immutability; by default the container's"},
		{at + ".azure.retain_for", duration(&s.Azure.RetainFor, time.Hour, century), "how long objects are immutable"},
		{at + ".azure.part_size", number(&s.Azure.PartSize, 1, 4000), "MiB in a block of a large object"},
		{at + ".azure.concurrency", number(&s.Azure.Concurrency, 1, 64), "blocks on their way at once, all in memory"},
	}
}

// A mirror is a table [[storage.mirror]] in the file. Elsewhere the nth is
// called storage.mirror.N: WALARCHIVE_STORAGE_MIRROR_1_URL.
const (
	mirrorKey  = "storage.mirror"
	maxMirrors = 8
)

// mirrorSettings are the settings of mirror n, from 1. They begin from the
// defaults: what stands in the main section is about another store.
func mirrorSettings(n int, s *Store) []setting {
	at := fmt.Sprintf("%s.%d", mirrorKey, n)
	return append([]setting{{at + ".url", text(&s.URL, isURL), "where this mirror is"}}, kindSettings(at, s)...)
}

// mirrorNumber is N of a key storage.mirror.N or storage.mirror.N.rest.
func mirrorNumber(key string) (int, bool) {
	rest, ok := strings.CutPrefix(key, mirrorKey+".")
	number, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	return n, ok && err == nil && 1 <= n && n <= maxMirrors && number == strconv.Itoa(n)
}

// mirror makes sure that there is a mirror n, and is its settings.
func (c *Config) mirror(n int) []setting {
	for len(c.Storage.Mirrors) < n {
		c.Storage.Mirrors = append(c.Storage.Mirrors, defaults().Storage.Store)
	}
	return mirrorSettings(n, &c.Storage.Mirrors[n-1])
}

// settingsFor are the settings that key may be one of.
func (c *Config) settingsFor(key string) []setting {
	if n, ok := mirrorNumber(key); ok {
		return c.mirror(n)
	}
	return c.settings()
}

// checkStores looks whether the stores are complete and not the same one.
func (c *Config) checkStores() error {
	urls := []string{c.Storage.URL}
	for i, m := range c.Storage.Mirrors {
		key := fmt.Sprintf("%s.%d.url", mirrorKey, i+1)
		if m.URL == "" {
			return &Error{c.source, key + " is not set", "each [[storage.mirror]] has a url"}
		}
		if j := slices.Index(urls, m.URL); j >= 0 && sameEndpoint(c.store(j), m) {
			return &Error{c.seen[key], key + ": another store has the same URL", "a mirror is another store than the first, best elsewhere and under another account"}
		}
		urls = append(urls, m.URL)
	}
	if c.Storage.Quorum > len(urls) {
		return &Error{c.seen["storage.quorum"], fmt.Sprintf("storage.quorum: %d is more than the %d stores that there are", c.Storage.Quorum, len(urls)), "storage.url and each [[storage.mirror]] count"}
	}
	return nil
}

// store is store i: the first, and then the mirrors.
func (c *Config) store(i int) Store {
	if i == 0 {
		return c.Storage.Store
	}
	return c.Storage.Mirrors[i-1]
}

// sameEndpoint reports whether stores of one URL are at one address.
func sameEndpoint(a, b Store) bool {
	return a.S3.Endpoint == b.S3.Endpoint && a.GCS.Endpoint == b.GCS.Endpoint &&
		a.Azure.Endpoint == b.Azure.Endpoint && a.Azure.Account == b.Azure.Account
}
