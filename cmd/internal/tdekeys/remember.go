package tdekeys

import (
	"context"
	"sync"
	"time"

	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// Remember makes a fetch that asks for a key once in age, for a process that
// works on one segment after the other. Failures are not remembered. A key that
// a provider has under another record, as after a change of the provider, is
// another key.
func Remember(fetch tde.Fetch, age time.Duration) tde.Fetch {
	m := memory{fetch: fetch, age: age, keys: map[place]remembered{}}
	return m.get
}

type memory struct {
	fetch tde.Fetch
	age   time.Duration

	mu   sync.Mutex
	keys map[place]remembered
}

type place struct {
	provider tde.Provider
	name     string
}

type remembered struct {
	key crypt.Key
	at  time.Time
}

// get fetches with the lock held: who comes meanwhile most likely wants the
// same key.
func (m *memory) get(ctx context.Context, p tde.Provider, name string) (crypt.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := place{p, name}
	if r, ok := m.keys[id]; ok && time.Since(r.at) < m.age {
		return r.key, nil
	}
	key, err := m.fetch(ctx, p, name)
	if err != nil {
		return crypt.Key{}, err
	}
	m.keys[id] = remembered{key, time.Now()}
	return key, nil
}
