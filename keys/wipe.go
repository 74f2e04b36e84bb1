package keys

// Wipe overwrites the epoch keys that the chain holds. It is of no use any
// more then.
func (c *Chain) Wipe() {
	for _, e := range c.epochs {
		e.key.Wipe()
	}
}

// Wipe overwrites the principal keys that the ring remembers and forgets them.
func (r *Ring) Wipe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.fetched {
		k.Wipe()
	}
	clear(r.fetched)
}
