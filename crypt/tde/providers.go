package tde

import (
	"encoding/binary"
	"fmt"
)

// ProviderType is the kind of a key provider.
type ProviderType string

const (
	DeletedProvider ProviderType = "deleted"
	FileProvider    ProviderType = "file"
	VaultProvider   ProviderType = "vault-v2"
	KMIPProvider    ProviderType = "kmip"
	OpenBaoProvider ProviderType = "openbao" // the fork's name for what vault-v2 is
)

// Provider is a record of a file 1664_providers: a key service as the server
// is configured to use it.
type Provider struct {
	ID   int32
	Name string
	Type ProviderType
	Text string // options as they stand in the record: JSON, see Options

	raw [providerSize]byte
}

// Sizes and offsets of a provider record, in bytes; see the package comment.
const (
	providerSize = 1160
	nameOffset   = 4
	textOffset   = 132
	typeOffset   = 1156
)

// ParseProviders reads the bytes of a file 1664_providers. The two flavors
// number the types of providers differently.
func ParseProviders(b []byte, flavor Flavor) ([]Provider, error) {
	if len(b)%providerSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes are not a multiple of %d", ErrDamaged, len(b), providerSize)
	}
	var ps []Provider
	for ; len(b) > 0; b = b[providerSize:] {
		p, err := parseProvider([providerSize]byte(b), flavor)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", len(ps), err)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func parseProvider(b [providerSize]byte, flavor Flavor) (Provider, error) {
	name, ok1 := cString(b[nameOffset:textOffset])
	text, ok2 := cString(b[textOffset:typeOffset])
	if !ok1 || !ok2 {
		return Provider{}, fmt.Errorf("%w: name or options without end", ErrDamaged)
	}
	return Provider{
		ID:   int32(binary.LittleEndian.Uint32(b[:])),
		Name: name,
		Type: flavor.providerType(binary.LittleEndian.Uint32(b[typeOffset:])),
		Text: text,
		raw:  b,
	}, nil
}

func (f Flavor) providerType(n uint32) ProviderType {
	types := []ProviderType{DeletedProvider, FileProvider, VaultProvider, KMIPProvider}
	if f == Fork {
		types = []ProviderType{DeletedProvider, FileProvider, KMIPProvider, OpenBaoProvider}
	}
	if int64(n) >= int64(len(types)) {
		return ProviderType(fmt.Sprintf("unknown type %d", n))
	}
	return types[n]
}

// Raw is the record as it stands in the file.
func (p *Provider) Raw() []byte { return append([]byte(nil), p.raw[:]...) }

// findProvider is the first provider of that id that is not deleted.
func findProvider(ps []Provider, id int32) (Provider, error) {
	for _, p := range ps {
		if p.ID == id && p.Type != DeletedProvider {
			return p, nil
		}
	}
	return Provider{}, fmt.Errorf("provider %d, which wal_keys names, is not in 1664_providers: %w", id, ErrProvider)
}
