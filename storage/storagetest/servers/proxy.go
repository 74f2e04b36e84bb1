//go:build integration

package servers

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Proxy stands between a client and a server, and makes the network between
// them as bad as a test wants it. TLS goes through it untouched.
type Proxy struct{ *toxiproxy.Proxy }

// StartProxy starts a proxy for the server at address upstream, which may
// start later. It listens at p.Listen, until the test ends.
func StartProxy(t testing.TB, upstream string) Proxy {
	t.Helper()
	quiet := zerolog.New(io.Discard)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), quiet)
	p := toxiproxy.NewProxy(server, "proxy", "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return Proxy{p}
}

// A Toxic is a way in which a network fails, in JSON as toxiproxy has it.
type Toxic string

// Refused is a network in which nobody takes connections. In the others they
// come about: Reset breaks them at once, Mute loses all answers and Deaf all
// requests.
const (
	Refused Toxic = ""
	Reset   Toxic = `{"type": "reset_peer", "attributes": {"timeout": 0}}`
	Mute    Toxic = `{"type": "timeout", "attributes": {"timeout": 0}}`
	Deaf    Toxic = `{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`
)

// CutAnswers closes each connection after n bytes of answers, CutRequests after
// n bytes of requests.
func CutAnswers(n int) Toxic {
	return Toxic(fmt.Sprintf(`{"type": "limit_data", "attributes": {"bytes": %d}}`, n))
}

func CutRequests(n int) Toxic {
	return Toxic(fmt.Sprintf(`{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": %d}}`, n))
}

// Slow lets n KB of answers a second through each connection, SlowUp n KB of
// requests.
func Slow(n int) Toxic {
	return Toxic(fmt.Sprintf(`{"type": "bandwidth", "attributes": {"rate": %d}}`, n))
}

func SlowUp(n int) Toxic {
	return Toxic(fmt.Sprintf(`{"type": "bandwidth", "stream": "upstream", "attributes": {"rate": %d}}`, n))
}

// Hurt has the network fail for all connections, old and new, until heal.
func (p Proxy) Hurt(t testing.TB, toxic Toxic) (heal func()) {
	t.Helper()
	if toxic == Refused {
		p.Stop()
	} else if _, err := p.Toxics.AddToxicJson(strings.NewReader(string(toxic))); err != nil {
		t.Fatal(err)
	}
	return func() {
		// Toxics are taken from no living connection: one of it can stay broken
		// for a moment, or hold up the removal.
		p.Stop()
		p.Toxics.ResetToxics(context.WithoutCancel(t.Context()))
		if err := p.Start(); err != nil {
			t.Error(err)
		}
	}
}
