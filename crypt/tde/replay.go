package tde

import (
	"fmt"
	"maps"
	"slices"
)

// Use is a principal key that replay asks for, and through which provider.
type Use struct {
	Scope      Scope
	KeyName    string
	ProviderID int32
	Provider   *Provider      // as it is configured at that point; nil: not known
	Signed     *PrincipalInfo // what proves the key; nil: not known
}

// names reports whether u and v name one key.
func (u Use) names(v Use) bool {
	return u.Scope == v.Scope && u.KeyName == v.KeyName && u.ProviderID == v.ProviderID
}

// Replay follows what happens to principal keys along the WAL, from records
// and from snapshots of key directories, and says which keys a server asks
// for that replays it: the one that each scope has, and at a rotation the new
// one as well. (pg_tde: redo of ROTATE_PRINCIPAL_KEY.) The zero value knows
// nothing yet.
//
// Key files change before the record is written, and a snapshot is of a later
// moment than the WAL beside which it was taken. So what a snapshot shows is
// added to what is in force. A record takes the place of all that was, except
// of each node's newest snapshot, which may be ahead of it; that goes with the
// node's next one.
type Replay struct {
	scopes    map[Scope]*inForce
	providers map[Scope]map[int]Provider // by the scope of the file and the record's number
}

// inForce are the keys that a scope may have at a point of the WAL.
type inForce struct {
	record *Use // of the last record
	shown  map[string][]shown
}

// shown is what a node's snapshot says.
type shown struct {
	Use
	stale bool // a record came after it
}

// Uses are the keys in force, in order of their scopes.
func (r *Replay) Uses() []Use {
	var all []Use
	for _, scope := range slices.Sorted(maps.Keys(r.scopes)) {
		for _, u := range r.scopes[scope].uses() {
			all = append(all, r.locate(u))
		}
	}
	return all
}

func (f *inForce) uses() []Use {
	var all []Use
	add := func(u Use) {
		i := slices.IndexFunc(all, u.names)
		switch {
		case i < 0:
			all = append(all, u)
		case all[i].Signed == nil:
			all[i].Signed = u.Signed
		}
	}
	if f.record != nil {
		add(*f.record)
	}
	for _, node := range slices.Sorted(maps.Keys(f.shown)) {
		for _, s := range f.shown[node] {
			add(s.Use)
		}
	}
	return all
}

// Snapshot takes in what node's key directory says, and gives the keys that it
// asks for.
func (r *Replay) Snapshot(node string, s *Snapshot) ([]Use, error) {
	for _, f := range s.Providers {
		records, err := ParseProviders(f.Records, s.Flavor)
		if err != nil {
			return nil, fmt.Errorf("providers of %v: %w", f.Scope, err)
		}
		delete(r.providers, f.Scope)
		for slot, p := range records {
			r.setProvider(f.Scope, slot, p)
		}
	}
	for _, f := range r.scopes {
		f.shown[node] = slices.DeleteFunc(f.shown[node], func(s shown) bool { return s.stale })
	}
	var uses []Use
	for i := range s.Principals {
		p := &s.Principals[i]
		u := Use{Scope: p.Scope, KeyName: p.KeyName, ProviderID: p.Provider, Signed: p}
		f := r.scope(p.Scope)
		f.shown[node] = append(slices.DeleteFunc(f.shown[node], func(s shown) bool { return u.names(s.Use) }), shown{Use: u})
		uses = append(uses, r.locate(u))
	}
	return uses, nil
}

// Apply takes in a record, and gives the keys that its replay asks for.
func (r *Replay) Apply(e *Event) []Use {
	switch e.Kind {
	case KeyAdded, KeyRotated:
		u := Use{Scope: e.Scope, KeyName: e.KeyName, ProviderID: e.ProviderID, Signed: e.Signed}
		r.scope(e.Scope).settle(u)
		return []Use{r.locate(u)}
	case KeyDeleted:
		if e.Scope != ServerScope { // pg_tde cannot delete that: wal_keys stays
			delete(r.scopes, e.Scope)
		}
	case ProviderWritten:
		r.setProvider(e.Scope, e.Slot, *e.Provider)
		return r.through(e.Scope, e.ProviderID)
	case ProviderDeleted:
		delete(r.providers[e.Scope], e.Slot)
	}
	return nil
}

func (r *Replay) scope(s Scope) *inForce {
	if r.scopes[s] == nil {
		if r.scopes == nil {
			r.scopes = map[Scope]*inForce{}
		}
		r.scopes[s] = &inForce{shown: map[string][]shown{}}
	}
	return r.scopes[s]
}

// settle makes u, of a record, the key in force.
func (f *inForce) settle(u Use) {
	f.record = &u
	for node, all := range f.shown {
		newest := all[max(0, len(all)-1):]
		for i := range newest {
			newest[i].stale = true
		}
		f.shown[node] = newest
	}
}

// through are the keys in force that come from a provider.
func (r *Replay) through(file Scope, id int32) []Use {
	return slices.DeleteFunc(r.Uses(), func(u Use) bool {
		return u.ProviderID != id || u.Scope.providersOf(id) != file
	})
}

// locate is u with its provider as it is configured now: the first record of
// that id.
func (r *Replay) locate(u Use) Use {
	records := r.providers[u.Scope.providersOf(u.ProviderID)]
	u.Provider = nil
	for _, slot := range slices.Sorted(maps.Keys(records)) {
		if p := records[slot]; p.ID == u.ProviderID && p.Type != DeletedProvider {
			u.Provider = &p
			break
		}
	}
	return u
}

func (r *Replay) setProvider(file Scope, slot int, p Provider) {
	if r.providers[file] == nil {
		if r.providers == nil {
			r.providers = map[Scope]map[int]Provider{}
		}
		r.providers[file] = map[int]Provider{}
	}
	r.providers[file][slot] = p
}
