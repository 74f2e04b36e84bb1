package archive

import (
	"context"
	"sync"
	"time"

	"walarchive/archive/wal"
)

// histories remembers timelines' histories between calls of Get. One that is
// stored never changes. That one is missing is remembered for
// Options.HistoryAge at most: a promotion elsewhere may archive it any moment.
//
// A server that follows a timeline has its history in pg_wal, where PostgreSQL
// keeps what it restored (KeepFileRestoredFromArchive), and Get looks there on
// every call. So what is remembered too long can only concern a timeline that
// the server knows nothing of, and for it the call might as well have come
// before that promotion.
type histories struct {
	mu      sync.Mutex
	found   map[branchID]*wal.History
	missing map[branchID]time.Time // when it was
}

type branchID struct {
	incarnation int
	timeline    wal.Timeline
}

// rememberedHistory is storedHistory, asked of the store only if need be.
func (a *Archive) rememberedHistory(ctx context.Context, inc Incarnation, t wal.Timeline) (*wal.History, error) {
	if a.HistoryAge <= 0 {
		return a.storedHistory(ctx, inc, t)
	}
	id := branchID{inc.Number, t}
	if h, known := a.histories.look(id, a.Now().Add(-a.HistoryAge)); known {
		return h, nil
	}
	asked := a.Now()
	h, err := a.storedHistory(ctx, inc, t)
	if err == nil {
		a.histories.note(id, h, asked)
	}
	return h, err
}

// look finds a history, or nil for one that was missing after since; false if
// nothing is known.
func (m *histories) look(id branchID, since time.Time) (*wal.History, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.found[id]; h != nil {
		return h, true
	}
	at, missed := m.missing[id]
	return nil, missed && at.After(since)
}

func (m *histories) note(id branchID, h *wal.History, asked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found == nil {
		m.found, m.missing = map[branchID]*wal.History{}, map[branchID]time.Time{}
	}
	if h == nil {
		m.missing[id] = asked
		return
	}
	m.found[id] = h
	delete(m.missing, id)
}

// forgetMissing makes the next look at a missing history ask the store. It
// reports whether there was any.
func (m *histories) forgetMissing() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	forgot := len(m.missing) > 0
	clear(m.missing)
	return forgot
}
