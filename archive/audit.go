package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"walarchive/crypt"
	"walarchive/crypt/tde"
	"walarchive/keys"
	"walarchive/keys/escrow"
)

// KeyState is what asking for a principal key showed.
type KeyState string

const (
	KeyPresent     KeyState = "present"     // and it is the right one
	KeyUnproven    KeyState = "unproven"    // one of that name is there; nothing is at hand to prove it by
	KeyMissing     KeyState = "missing"     // its service says so
	KeyWrong       KeyState = "wrong"       // another key has its name
	KeyUnreachable KeyState = "unreachable" // its service could not be asked
	KeyNotAsked    KeyState = "not asked"   // it is not meant to be here
)

// Answer is to the question whether a principal key may be destroyed.
type Answer string

const (
	AnswerYes     Answer = "yes"
	AnswerNo      Answer = "no"
	AnswerUnknown Answer = "unknown"
)

// KeyOwner is whose keys a principal key wraps.
type KeyOwner string

const (
	OwnerArchive KeyOwner = "archive"
	OwnerServer  KeyOwner = "pg_tde"
)

// AuditedKey is a principal key that was asked for.
type AuditedKey struct {
	Owner       KeyOwner `json:"owner"`
	Key         string   `json:"key"`
	Provider    string   `json:"provider"`
	Type        string   `json:"type,omitempty"`     // of pg_tde's provider
	Location    string   `json:"location,omitempty"` // of pg_tde's provider, as the server knows it
	Use         string   `json:"use"`                // what it opens
	State       KeyState `json:"state"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	Detail      string   `json:"detail,omitempty"` // why it is not present
	Hint        string   `json:"hint,omitempty"`
	Destroy     Answer   `json:"may_be_destroyed"`
	Because     string   `json:"because"`
	Harmless    bool     `json:"harmless,omitempty"` // that it is not present
}

// Audit is the archive's principal keys and those of pg_tde's that replay of
// its WAL asks for, each asked for and tried.
type Audit struct {
	Keys      []AuditedKey `json:"keys"`
	Problems  []string     `json:"problems"` // besides keys that are not present
	Warnings  []string     `json:"warnings"`
	NotLooked []string     `json:"not_looked_at"` // what could need a key all the same
}

// Failed reports whether something is wrong: a key that is needed is missing or
// wrong, or there is another problem.
func (a *Audit) Failed() bool {
	return len(a.Problems) > 0 || slices.ContainsFunc(a.Keys, func(k AuditedKey) bool {
		return !k.Harmless && (k.State == KeyMissing || k.State == KeyWrong)
	})
}

// Unsure reports whether a key could not be asked for.
func (a *Audit) Unsure() bool {
	return slices.ContainsFunc(a.Keys, func(k AuditedKey) bool { return !k.Harmless && k.State == KeyUnreachable })
}

// Audit asks for every principal key: the archive's own, each tried on the
// epochs that it wraps, and pg_tde's, through the Fetch of the options, each
// tried on the signature of a key file. configured is the archive's principal
// key by the configuration; d the server at hand, nil if none is.
func (a *Archive) Audit(ctx context.Context, configured keys.Ref, d *DataDir) (*Audit, error) {
	r := &Audit{Keys: []AuditedKey{}, Problems: []string{}, Warnings: []string{}, NotLooked: []string{}}
	a.auditOwn(ctx, r, configured)
	if err := a.auditServers(ctx, r, d); err != nil {
		return nil, err
	}
	return r, ctx.Err()
}

// ask sets what came of asking for the key.
func (k *AuditedKey) ask(err error) {
	var wrong *keys.WrongKeyError
	switch {
	case err == nil:
		k.State = KeyPresent
		return
	case errors.As(err, &wrong), errors.Is(err, tde.ErrWrongKey), errors.Is(err, keys.ErrBadKey):
		k.State = KeyWrong
	case errors.Is(err, keys.ErrNotConfigured):
		k.State = KeyUnreachable
	case errors.Is(err, keys.ErrNoKey):
		k.State = KeyMissing
	default:
		k.State = KeyUnreachable
	}
	k.Detail, k.Hint = err.Error(), hintOf(err)
}

// auditOwn asks for the keys that wrap epochs.
func (a *Archive) auditOwn(ctx context.Context, r *Audit, configured keys.Ref) {
	own := a.tryOwn(ctx)
	for _, ref := range own.refs {
		k := AuditedKey{Owner: OwnerArchive, Key: ref.Key, Provider: ref.Provider, Use: "opens " + epochsText(own.wraps[ref])}
		if ref.Provider == escrow.Provider {
			k.State, k.Destroy, k.Because = KeyNotAsked, AnswerNo, "it is the way back when no key service is left"
		} else {
			k.ask(own.errs[ref])
			k.Destroy, k.Because = own.mayBeDestroyed(ref, ref == configured)
			k.Harmless = k.State != KeyPresent && k.Destroy == AnswerYes
		}
		if p, err := a.ring.Principal(ctx, ref); err == nil && k.State == KeyPresent {
			k.Fingerprint = p.Fingerprint() // of one that never leaves its service there is none
		}
		r.Keys = append(r.Keys, k)
	}
	for n := 1; n <= own.epochs; n++ {
		if len(own.openedBy[n]) == 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("no principal key that is here opens epoch %d", n))
		}
	}
}

// ownKeys are the archive's principal keys, and which of them open what.
type ownKeys struct {
	epochs   int
	refs     []keys.Ref         // retired ones first, then the older ones
	wraps    map[keys.Ref][]int // numbers of epochs
	errs     map[keys.Ref]error // why one does not open what it wraps
	openedBy map[int][]keys.Ref // by epoch; keys that may be destroyed are taken out
}

// tryOwn tries every wrap of every epoch.
func (a *Archive) tryOwn(ctx context.Context) *ownKeys {
	epochs, id := a.Epochs(), a.Anchor().Archive
	own := &ownKeys{epochs: len(epochs), wraps: map[keys.Ref][]int{}, errs: map[keys.Ref]error{}, openedBy: map[int][]keys.Ref{}}
	for _, e := range epochs {
		for _, w := range slices.Backward(e.Wraps()) {
			ref := keys.Ref{Provider: w.Provider, Key: w.Key}
			if _, known := own.wraps[ref]; !known {
				own.refs = append(own.refs, ref)
			}
			own.wraps[ref] = append(own.wraps[ref], e.Number)
			if w.Kind == crypt.WrapAge {
				continue
			}
			if err := a.ring.Opens(ctx, w, id, e); err != nil {
				own.errs[ref] = err
			} else {
				own.openedBy[e.Number] = append(own.openedBy[e.Number], ref)
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortStableFunc(own.refs, func(r, s keys.Ref) int {
		return cmp.Compare(btoi(a.chain.Retired(s)), btoi(a.chain.Retired(r)))
	})
	return own
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mayBeDestroyed: a key that is needed for no epoch, because others open what
// it opens, tried just now. Those may not count on it in turn, so that all
// answers hold together.
func (o *ownKeys) mayBeDestroyed(ref keys.Ref, configured bool) (Answer, string) {
	if configured {
		return AnswerNo, "it is keys.principal of this configuration"
	}
	others := map[string]bool{}
	for _, n := range o.wraps[ref] {
		rest := slices.DeleteFunc(slices.Clone(o.openedBy[n]), func(r keys.Ref) bool { return r == ref })
		if len(rest) == 0 {
			return AnswerNo, fmt.Sprintf("nothing else that is here and stays opens epoch %d", n)
		}
		others[rest[len(rest)-1].String()] = true
	}
	for _, n := range o.wraps[ref] {
		o.openedBy[n] = slices.DeleteFunc(o.openedBy[n], func(r keys.Ref) bool { return r == ref })
	}
	return AnswerYes, fmt.Sprintf("%s opens all that it opens, tried just now; not looked at: copies of this archive with an older keys/, and objects on their own, which without keys/ open with the key of their time only",
		strings.Join(slices.Sorted(maps.Keys(others)), ", "))
}

func epochsText(numbers []int) string {
	all := make([]string, len(numbers))
	for i, n := range numbers {
		all[i] = fmt.Sprint(n)
	}
	if len(all) == 1 {
		return "epoch " + all[0]
	}
	return "epochs " + strings.Join(all, ", ")
}
