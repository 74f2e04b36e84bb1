// Package metrics offers what an agent knows about itself to Prometheus.
package metrics

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"walarchive/archive/queue"
	"walarchive/cmd/internal/agent"
)

// metric makes values of one metric out of a status.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(s *agent.Status, emit emit)
	times func(queue.Counts) queue.Times // of a histogram, instead of the two before
}

// emit takes a value, with one for each label.
type emit func(v float64, labels ...string)

func newMetric(kind prometheus.ValueType, name, help string, value func(*agent.Status, emit), labels ...string) metric {
	return metric{desc: prometheus.NewDesc("walarchive_"+name, help, labels, nil), kind: kind, value: value}
}

func gauge(name, help string, value func(*agent.Status, emit), labels ...string) metric {
	return newMetric(prometheus.GaugeValue, name, help, value, labels...)
}

func backlog(name, help string, of func(*queue.Backlog) float64) metric {
	return gauge(name, help, func(s *agent.Status, emit emit) {
		if s.Backlog != nil {
			emit(of(s.Backlog))
		}
	})
}

func last(name, help string, of func(*queue.Last) float64) metric {
	return gauge(name, help, func(s *agent.Status, emit emit) {
		if s.Last != nil {
			emit(of(s.Last), s.Last.Segment.Timeline.Hex())
		}
	}, "timeline")
}

func counter(name, help string, value func(queue.Counts) uint64) metric {
	return newMetric(prometheus.CounterValue, name, help, func(s *agent.Status, emit emit) { emit(float64(value(s.Counts))) })
}

// counters is a counter for each value of a label.
func counters(name, help, label string, value func(queue.Counts) map[string]uint64) metric {
	return newMetric(prometheus.CounterValue, name, help, func(s *agent.Status, emit emit) {
		for of, n := range value(s.Counts) {
			emit(float64(n), of)
		}
	}, label)
}

func histogram(name, help string, times func(queue.Counts) queue.Times) metric {
	return metric{desc: prometheus.NewDesc("walarchive_"+name, help, nil, nil), times: times}
}

// metrics are all that a status tells.
func metrics() []metric {
	return []metric{
		gauge("build_info", "The program's version.", func(s *agent.Status, emit emit) { emit(1, s.Version) }, "version"),

		backlog("backlog_files", "Files that wait to be archived.", func(b *queue.Backlog) float64 { return float64(b.Files) }),
		backlog("backlog_bytes", "Size of the segments that wait to be archived.", func(b *queue.Backlog) float64 { return float64(b.Bytes) }),
		backlog("backlog_seconds", "How long the first of them has been waiting.", func(b *queue.Backlog) float64 { return b.Seconds }),
		last("last_archived_lsn_bytes", "Where the last archived segment ends.", func(l *queue.Last) float64 { return float64(l.Segment.End()) }),
		last("last_archived_timestamp_seconds", "When it was archived.", func(l *queue.Last) float64 { return unixSeconds(l.Time) }),

		counter("archived_files_total", "Files made durable.", func(c queue.Counts) uint64 { return c.Archived }),
		counter("archived_ahead_files_total", "Files made durable before they were asked for.", func(c queue.Counts) uint64 { return c.Ahead }),
		counter("archived_already_files_total", "Files that were in the archive before.", func(c queue.Counts) uint64 { return c.Already }),
		counter("archived_bytes_total", "Size of the files made durable.", func(c queue.Counts) uint64 { return c.Plain }),
		counter("archived_stored_bytes_total", "What they take in the store.", func(c queue.Counts) uint64 { return c.Stored }),
		counter("store_retries_total", "Calls of the store that were repeated.", func(c queue.Counts) uint64 { return c.Retries }),
		counters("push_failures_total", "Pushes that failed.", "kind", func(c queue.Counts) map[string]uint64 { return c.PushFailures }),
		histogram("push_duration_seconds", "How long pushes took, those that failed too.", func(c queue.Counts) queue.Times { return c.PushTimes }),

		counter("restored_files_total", "Files brought back.", func(c queue.Counts) uint64 { return c.Restored }),
		counter("restored_bytes_total", "Their size.", func(c queue.Counts) uint64 { return c.RestoredBytes }),
		counter("absent_files_total", "Files asked for behind the end of the archive.", func(c queue.Counts) uint64 { return c.Absent }),
		counters("restore_failures_total", "Files that could not be brought back.", "kind", func(c queue.Counts) map[string]uint64 { return c.RestoreFailures }),
		histogram("restore_duration_seconds", "How long it took to bring files back.", func(c queue.Counts) queue.Times { return c.RestoreTimes }),
		counters("prefetch_total", "Objects read whole: fetched ahead (hit), on their way (joined), asked of the store (missed).", "result", func(c queue.Counts) map[string]uint64 {
			return map[string]uint64{"hit": c.Hits, "joined": c.Joined, "missed": c.Missed}
		}),
		gauge("prefetch_bytes", "What was fetched ahead takes.", func(s *agent.Status, emit emit) {
			emit(float64(s.Memory), "memory")
			emit(float64(s.Spool), "spool")
		}, "place"),

		gauge("key_service_up", "Whether a key service took the credentials when it was tried last.", keyServiceUp, "provider"),
		gauge("credential_end_timestamp_seconds", "When the first certificate or token for a key service ends.", credentialEnd, "provider"),
	}
}

func keyServiceUp(s *agent.Status, emit emit) {
	for _, k := range s.Keys {
		up := 1.0
		if k.Error != "" {
			up = 0
		}
		emit(up, k.Provider)
	}
}

func credentialEnd(s *agent.Status, emit emit) {
	for _, k := range s.Keys {
		var first time.Time
		for _, e := range k.Ends {
			if first.IsZero() || e.Time.Before(first) {
				first = e.Time
			}
		}
		if !first.IsZero() {
			emit(unixSeconds(first), k.Provider)
		}
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// exposition is a Collector of what a status says.
type exposition struct {
	status  func() *agent.Status
	metrics []metric
}

func (e *exposition) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range e.metrics {
		ch <- m.desc
	}
}

func (e *exposition) Collect(ch chan<- prometheus.Metric) {
	s := e.status()
	for _, m := range e.metrics {
		if m.times != nil {
			ch <- constHistogram(m.desc, m.times(s.Counts))
			continue
		}
		m.value(s, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
		})
	}
}

func constHistogram(desc *prometheus.Desc, t queue.Times) prometheus.Metric {
	buckets := map[float64]uint64{}
	for i, bound := range queue.TimeBounds() {
		if buckets[bound] = 0; i < len(t.Within) {
			buckets[bound] = t.Within[i]
		}
	}
	return prometheus.MustNewConstHistogram(desc, t.N, t.Seconds, buckets)
}

// registry has all metrics of an agent.
func registry(status func() *agent.Status) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(&exposition{status, metrics()}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Serve offers the metrics at address until stop is called. An agent that
// cannot offer them works all the same, and says so. at is where they are.
func Serve(address string, status func() *agent.Status, log *slog.Logger) (at string, stop func()) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		log.Error("no metrics", "error", err)
		return "", func() {}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry(status), promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("no more metrics", "error", err)
		}
	})
	return l.Addr().String(), func() {
		_ = server.Close() // whoever asks just now asks again
		serving.Wait()
	}
}
