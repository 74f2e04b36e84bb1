package kmiptest

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
)

// Listen serves connections to 127.0.0.1 until the test ends and gives the
// port. A connection is closed when serve returns.
func Listen(t testing.TB, config *tls.Config, serve func(*tls.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &listener{open: map[net.Conn]bool{}}
	s.wg.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return // closed below
			}
			s.wg.Go(func() { s.handle(tls.Server(raw, config), serve) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.close()
		s.wg.Wait()
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

type listener struct {
	wg sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

func (s *listener) handle(conn *tls.Conn, serve func(*tls.Conn)) {
	s.mu.Lock()
	s.open[conn] = true
	if s.closed {
		_ = conn.NetConn().Close()
	}
	s.mu.Unlock()
	if conn.Handshake() == nil {
		serve(conn)
	}
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

func (s *listener) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.open {
		_ = conn.(*tls.Conn).NetConn().Close()
	}
}
