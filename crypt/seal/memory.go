package seal

import "sync"

// Memory keeps the buffers and compression tables of objects that are done for
// those that come: never more than were in use at one time. The zero value is
// ready. It is safe for concurrent use.
//
// A Writer takes about 4 MiB and a codec's tables for each of its workers, a
// Draft the sealed object on top.
type Memory struct {
	mu     sync.Mutex
	slots  []*slot
	drafts [][]byte
}

// slot returns one that is not in use; of a nil Memory always a new one.
func (m *Memory) slot() *slot {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if s, ok := pop(&m.slots); ok {
			return s
		}
	}
	return &slot{done: make(chan struct{}, 1)}
}

func (m *Memory) giveSlot(s *slot) {
	s.plain, s.mac = nil, nil // the caller's, and a key
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.slots = append(m.slots, s)
	}
}

// draft returns an empty buffer, a new one with room for n bytes.
func (m *Memory) draft(n int) []byte {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if p, ok := pop(&m.drafts); ok {
			return p[:0]
		}
	}
	return make([]byte, 0, n)
}

func (m *Memory) giveDraft(p []byte) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.drafts = append(m.drafts, p)
	}
}

func pop[T any](from *[]T) (last T, ok bool) {
	n := len(*from) - 1
	if n < 0 {
		return last, false
	}
	last = (*from)[n]
	clear((*from)[n:])
	*from = (*from)[:n]
	return last, true
}
