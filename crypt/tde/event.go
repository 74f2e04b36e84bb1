package tde

import (
	"encoding/binary"
	"fmt"

	"walarchive/archive/wal"
)

// Sizes of the payloads of pg_tde's records, in bytes.
const (
	rotateSize = 264
	writeSize  = 16 + providerSize
	deleteSize = 4
)

// EventKind is what happened.
type EventKind string

const (
	KeyAdded        EventKind = "key added"   // a scope's first principal key
	KeyRotated      EventKind = "key rotated" // from now on a scope has this principal key
	KeyDeleted      EventKind = "key deleted" // a scope has none any more
	ProviderWritten EventKind = "provider written"
	ProviderDeleted EventKind = "provider deleted"
)

// Event is one thing that happened to principal keys or their providers, as a
// record in the WAL tells it; see the package comment.
type Event struct {
	Kind  EventKind
	Scope Scope // whose key, or in whose file of providers

	KeyName    string         // of a key that was added or rotated to
	ProviderID int32          // its provider; or the provider that was written or deleted
	Signed     *PrincipalInfo // of a key that was added: what proves the key

	Slot     int       // of a provider: its record's number in the file, from 0
	Provider *Provider // that was written
}

// ParseEvent reads a record that package wal keeps in full. One that is not
// exactly as pg_tde writes it gives ErrDamaged.
func ParseEvent(r wal.TDERecord) (*Event, error) {
	e, err := parseEvent(r.Info, r.Payload)
	if err != nil {
		return nil, fmt.Errorf("pg_tde's record %v at %v: %w", r.Info, r.LSN, err)
	}
	return e, nil
}

func parseEvent(info wal.TDEInfo, b []byte) (*Event, error) {
	switch info {
	case wal.TDEAddPrincipalKey:
		return parseAdded(b)
	case wal.TDERotatePrincipalKey:
		return parseRotated(b)
	case wal.TDEDeletePrincipalKey:
		if err := wantSize(b, deleteSize); err != nil {
			return nil, err
		}
		return &Event{Kind: KeyDeleted, Scope: Scope(binary.LittleEndian.Uint32(b))}, nil
	case wal.TDEWriteKeyProvider:
		return parseWritten(b)
	}
	return nil, fmt.Errorf("a record of kind %v is %w", info, ErrUnsupported)
}

func wantSize(b []byte, n int) error {
	if len(b) != n {
		return fmt.Errorf("%w: its payload has %d bytes, not %d", ErrDamaged, len(b), n)
	}
	return nil
}

func parseAdded(b []byte) (*Event, error) {
	p, err := ParsePrincipalInfo(b)
	if err != nil {
		return nil, err
	}
	return &Event{Kind: KeyAdded, Scope: p.Scope, KeyName: p.KeyName, ProviderID: p.Provider, Signed: &p}, nil
}

func parseRotated(b []byte) (*Event, error) {
	if err := wantSize(b, rotateSize); err != nil {
		return nil, err
	}
	name, ok := cString(b[8:])
	if !ok || name == "" {
		return nil, fmt.Errorf("%w: no key name in it", ErrDamaged)
	}
	le := binary.LittleEndian
	return &Event{Kind: KeyRotated, Scope: Scope(le.Uint32(b)), ProviderID: int32(le.Uint32(b[4:])), KeyName: name}, nil
}

func parseWritten(b []byte) (*Event, error) {
	if err := wantSize(b, writeSize); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	off := le.Uint64(b[8:])
	if off%providerSize != 0 || off >= maxProviders {
		return nil, fmt.Errorf("%w: no record of a provider begins at %d", ErrDamaged, off)
	}
	p, err := parseAnyProvider([providerSize]byte(b[16:]))
	if err != nil {
		return nil, err
	}
	e := &Event{Kind: ProviderWritten, Scope: Scope(le.Uint32(b)), ProviderID: p.ID, Slot: int(off / providerSize), Provider: &p}
	if p.Type == DeletedProvider {
		e.Kind, e.Provider = ProviderDeleted, nil
	}
	return e, nil
}

// parseAnyProvider reads a record that may be of either flavor, which WAL does
// not tell. Each type has options of its own, so those do.
func parseAnyProvider(b [providerSize]byte) (Provider, error) {
	p, err := parseProvider(b, Percona)
	if err != nil || p.Type == DeletedProvider {
		return p, err
	}
	if _, err := p.Options(); err == nil {
		return p, nil
	}
	if fork, err := parseProvider(b, Fork); err == nil {
		if _, err := fork.Options(); err == nil {
			return fork, nil
		}
	}
	return p, nil
}

// String tells the event to people.
func (e *Event) String() string {
	switch e.Kind {
	case KeyAdded:
		return fmt.Sprintf("%v key set: %q in provider %d", e.Scope, e.KeyName, e.ProviderID)
	case KeyRotated:
		return fmt.Sprintf("%v key rotated to %q in provider %d", e.Scope, e.KeyName, e.ProviderID)
	case KeyDeleted:
		return fmt.Sprintf("%v key deleted", e.Scope)
	case ProviderDeleted:
		return fmt.Sprintf("provider %d deleted (%v)", e.ProviderID, e.Scope)
	}
	return fmt.Sprintf("provider %d written (%v): %v", e.ProviderID, e.Scope, e.Provider)
}
