package session

import (
	"log/slog"
	"time"

	"walarchive/archive"
)

// LogPush logs what a push of the file name did, in one line and its warnings.
func LogPush(log *slog.Logger, name string, done *archive.Pushed, took time.Duration) {
	for _, w := range done.Warnings {
		log.Warn(w, "file", name, "object", done.Object)
	}
	switch {
	case done.Quarantined:
		log.Warn("not archived: these bytes lie under quarantine", "file", name, "object", done.Object)
	case done.Already:
		log.Info("archived already", "file", name, "object", done.Object, "retries", done.Retries, "took", took)
	default:
		log.Info("archived", "file", name, "object", done.Object, "bytes", done.Plain, "stored", done.Sealed, "retries", done.Retries, "took", took)
	}
}

// LogGet logs what became of a WAL file that was brought back.
func LogGet(log *slog.Logger, name string, got *archive.Got, took time.Duration) {
	for _, w := range got.Warnings {
		log.Warn(w, "file", name, "object", got.Object)
	}
	if got.Cut != 0 {
		log.Warn("the server's timeline left this segment's: zeros from there on", "file", name, "from", got.Cut)
	}
	if got.Store != "" {
		log = log.With("store", got.Store)
	}
	log.Info("restored", "file", name, "object", got.Object, "bytes", got.Plain, "stored", got.Sealed, "retries", got.Retries, "took", took)
}
