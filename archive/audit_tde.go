package archive

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"walarchive/crypt/tde"
)

// serverKey is a principal key of pg_tde's, by one way to it.
type serverKey struct {
	uses   []tde.Use // of each scope; they differ in nothing else
	signed []*tde.PrincipalInfo
	needed string // why replay of archived WAL asks for it, "" if none does
	until  string // where it was given up, as far as that is known
}

// serverKeys are all that the event log and the server at hand name.
type serverKeys struct {
	keys  map[string]*serverKey
	order []string
}

// take notes a use of a key.
func (s *serverKeys) take(u tde.Use) *serverKey {
	id := fmt.Sprintf("%q %d", u.KeyName, u.ProviderID)
	if u.Provider != nil {
		id = fmt.Sprintf("%q %q %s %s", u.KeyName, u.Provider.Name, u.Provider.Type, u.Provider.Text)
	}
	k := s.keys[id]
	if k == nil {
		k = &serverKey{}
		s.keys[id], s.order = k, append(s.order, id)
	}
	if !slices.ContainsFunc(k.uses, func(have tde.Use) bool { return have.Scope == u.Scope }) {
		k.uses = append(k.uses, u)
	}
	if u.Signed != nil && !slices.ContainsFunc(k.signed, func(p *tde.PrincipalInfo) bool { return *p == *u.Signed }) {
		k.signed = append(k.signed, u.Signed)
	}
	return k
}

// auditServers asks for the keys of pg_tde's.
func (a *Archive) auditServers(ctx context.Context, r *Audit, d *DataDir) error {
	s, err := a.survey(ctx)
	if err != nil {
		return err
	}
	log, err := a.eventLog(ctx, s)
	if err != nil {
		return err
	}
	for _, p := range log.Problems {
		r.Problems = append(r.Problems, p.String())
	}
	found := &serverKeys{keys: map[string]*serverKey{}}
	for _, b := range s.Branches {
		if inc := s.Incarnations[len(s.Incarnations)-1]; b.Number == inc.Number {
			if err := found.along(s, b, onPath(log.Events, s.path(b), s.Trees[inc.Number])); err != nil {
				return err
			}
		}
	}
	if err := r.serverAtHand(found, d); err != nil {
		return err
	}
	r.rotations(log.Events)
	for _, id := range found.order {
		r.Keys = append(r.Keys, a.auditServerKey(ctx, found.keys[id], log.Sound()))
	}
	r.elsewhere()
	if len(found.order) > 0 {
		r.NotLooked = append(r.NotLooked,
			"base backups: this archive holds none; each key that replay of archived WAL can ask for counts as needed, and a backup from before that WAL may need others",
			"data files: tables and indexes of a backup need the keys that its own key files name")
	}
	if n := len(s.Incarnations); n > 1 && len(log.Closed) > 0 {
		r.NotLooked = append(r.NotLooked, "incarnations before the open one: keys of their servers")
	}
	return nil
}

// along follows replay on one timeline and notes which keys it can ask for: all
// that are in force at or behind the oldest WAL that is there.
func (f *serverKeys) along(s *survey, b *branch, events []KeyEvent) error {
	held := s.along(b.Incarnation, s.path(b))
	if len(held) == 0 {
		return nil
	}
	oldest := held[0].name.Segment.Start()
	r := keyReplay{Needed: Needed{Timeline: b.Timeline}}
	inForce := map[*serverKey]bool{}
	for i := range events {
		e := &events[i]
		uses, err := r.take(e)
		if err != nil {
			return err
		}
		for _, u := range uses {
			if !u.ofSegment() {
				f.take(u.use)
			}
		}
		now := map[*serverKey]bool{}
		for _, u := range r.replay.Uses() {
			now[f.take(u)] = true
		}
		for k := range inForce {
			if !now[k] {
				k.until = e.At.String()
				if e.At.LSN > oldest {
					k.needed = fmt.Sprintf("a recovery that begins before %v, with WAL that is here, asks for it", e.At)
				}
			}
		}
		inForce = now
	}
	for k := range inForce {
		k.needed = fmt.Sprintf("it is in force at the end of timeline %v", b.Timeline)
	}
	return nil
}

// serverAtHand takes in the key files of the server on this host.
func (r *Audit) serverAtHand(f *serverKeys, d *DataDir) error {
	if d == nil {
		r.NotLooked = append(r.NotLooked, "key files of servers: run it in the data directory of each that has pg_tde, or set cluster.pgdata")
		return nil
	}
	snapshot, err := d.keySnapshot()
	if err != nil || snapshot == nil {
		return err
	}
	var replay tde.Replay
	uses, err := replay.Snapshot(d.Path, snapshot)
	if err != nil {
		return err
	}
	for _, u := range uses {
		f.take(u).needed = "the key files in " + d.Path + " name it"
	}
	if snapshot.RotationFails() {
		r.Warnings = append(r.Warnings, cannotRotate(d.Path, snapshot))
	}
	for _, u := range snapshot.Unreadable {
		r.Warnings = append(r.Warnings, d.Path+": "+u)
	}
	r.NotLooked = append(r.NotLooked, "key files of other servers than that on "+d.Path)
	return nil
}

func cannotRotate(node string, s *tde.Snapshot) string {
	return fmt.Sprintf("%s: wal_keys has %d superseded entries, over which pg_tde fails to rotate the server's key (it says that the principal key is wrong, which it is not)", node, s.Superseded)
}

// rotations warns of servers whose newest key files pg_tde cannot rotate.
func (r *Audit) rotations(events []KeyEvent) {
	newest := map[string]*tde.Snapshot{}
	for i := range events {
		if s := events[i].Snapshot; s != nil {
			newest[events[i].Node] = s
		}
	}
	for _, node := range slices.Sorted(maps.Keys(newest)) {
		if newest[node].RotationFails() {
			r.Warnings = append(r.Warnings, cannotRotate(node, newest[node]))
		}
	}
}

// auditServerKey asks for one key and tries it on the signatures that are
// known.
func (a *Archive) auditServerKey(ctx context.Context, k *serverKey, logSound bool) AuditedKey {
	u := k.uses[0]
	audited := AuditedKey{Owner: OwnerServer, Key: u.KeyName, Provider: fmt.Sprint(u.ProviderID), Use: scopesText(k.uses)}
	audited.Destroy, audited.Because = k.mayBeDestroyed(logSound)
	if u.Provider == nil {
		audited.State, audited.Detail = KeyUnreachable, "what its provider is was never seen"
		return audited
	}
	audited.Provider, audited.Type, audited.Location = u.Provider.Name, string(u.Provider.Type), u.Provider.Location()
	key, err := a.TDE(ctx, *u.Provider, u.KeyName)
	if err != nil {
		audited.ask(err)
		return audited
	}
	defer key.Wipe()
	audited.Fingerprint = key.Fingerprint()
	if len(k.signed) == 0 {
		audited.State, audited.Detail = KeyUnproven, "no key file with its signature was ever seen"
		return audited
	}
	for _, p := range k.signed {
		if err = p.Verify(key); err == nil {
			break
		}
	}
	audited.ask(err)
	return audited
}

func (k *serverKey) mayBeDestroyed(logSound bool) (Answer, string) {
	switch {
	case k.needed != "":
		return AnswerNo, k.needed
	case !logSound:
		return AnswerUnknown, "the event log is damaged"
	}
	until := "before the oldest WAL that is here"
	if k.until != "" {
		until = "at " + k.until
	}
	return AnswerUnknown, fmt.Sprintf("it was given up %s; a base backup from before that needs it, and this archive holds no base backups to tell by", until)
}

func scopesText(uses []tde.Use) string {
	all := make([]string, len(uses))
	for i, u := range uses {
		all[i] = u.Scope.String()
	}
	return "key of " + strings.Join(all, ", ")
}

// elsewhere takes note of keys that are not at one place, but proven at
// another: their provider moved.
func (r *Audit) elsewhere() {
	for i := range r.Keys {
		k := &r.Keys[i]
		if k.Owner != OwnerServer || k.State == KeyPresent {
			continue
		}
		for _, other := range r.Keys {
			if other.Owner == OwnerServer && other.Key == k.Key && other.State == KeyPresent {
				k.Harmless = true
				k.Detail = strings.TrimPrefix(fmt.Sprintf("%s; a proven key of that name is at %s", k.Detail, other.Location), "; ")
			}
		}
	}
}
