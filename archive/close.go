package archive

// Close wipes the keys that the archive holds, those of its ring too. Nothing
// may use it any more.
func (a *Archive) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.chain.Wipe()
	a.ring.Wipe()
}
