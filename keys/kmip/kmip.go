package kmip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/crypt"
	"walarchive/keys"
)

// KMIP serves keys from a service that speaks KMIP.
type KMIP struct {
	o        Options
	servers  []server
	versions []kmip.ProtocolVersion // to be negotiated, the best first

	connectTimeout, callTimeout time.Duration // per server
}

var _ keys.Creator = (*KMIP)(nil)

// New is the provider of a service. It does no I/O.
func New(o Options) (*KMIP, error) {
	servers, err := o.servers()
	if err != nil {
		return nil, err
	}
	return &KMIP{o: o, servers: servers, versions: versions(), connectTimeout: connectTimeout, callTimeout: callTimeout}, nil
}

func (p *KMIP) String() string {
	names := make([]string, len(p.servers))
	for i, s := range p.servers {
		names[i] = s.String()
	}
	return "KMIP " + strings.Join(names, ", ")
}

// Key fetches the one key of that name.
func (p *KMIP) Key(ctx context.Context, name string) (crypt.Key, error) {
	var key crypt.Key
	err := p.first(ctx, name, func(ctx context.Context, s *session) error {
		var err error
		key, err = s.key(name)
		return err
	})
	return key, err
}

// checkName refuses what pg_tde cannot ask for either.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", keys.ErrName)
	case len(name) > maxName:
		return fmt.Errorf("%w: it has %d bytes, of which a service is asked for at most %d", keys.ErrName, len(name), maxName)
	case !utf8.ValidString(name), strings.ContainsRune(name, 0):
		return fmt.Errorf("%w: it is not text in UTF-8", keys.ErrName)
	}
	return nil
}

// first makes do work with the first server that is not in trouble. What do
// wants to be final it wraps in final.
func (p *KMIP) first(ctx context.Context, name string, do func(context.Context, *session) error) error {
	err := checkName(name)
	if err != nil {
		return p.wrap(name, err)
	}
	var troubles []error
	for _, to := range p.servers {
		err = p.with(ctx, to, do)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return p.wrap(name, ctx.Err())
		}
		if len(p.servers) > 1 {
			err = fmt.Errorf("%s: %w", to, err)
		}
		var end *finalError
		if !errors.Is(err, keys.ErrUnavailable) || errors.As(err, &end) {
			return p.wrap(name, err)
		}
		troubles = append(troubles, err)
	}
	return p.wrap(name, join(troubles))
}

// with makes do work with one server, in the time that one call may take.
func (p *KMIP) with(ctx context.Context, to server, do func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.callTimeout)
	defer cancel()
	s, err := p.dial(ctx, to)
	if err == nil {
		defer s.close()
		err = do(ctx, s)
	}
	if err != nil && ctx.Err() != nil {
		err = keepFinal(err, unreachable(fmt.Errorf("no answer within %v", p.callTimeout)))
	}
	return err
}

// key fetches the key of that name.
func (s *session) key(name string) (crypt.Key, error) {
	ids, err := s.locate(name)
	switch {
	case err != nil:
		return crypt.Key{}, err
	case len(ids) == 0:
		return crypt.Key{}, keys.ErrNoKey
	case len(ids) > 1:
		return crypt.Key{}, fmt.Errorf("%w: %d keys have this name", keys.ErrBadKey, len(ids))
	}
	return s.get(ids[0])
}

// locate gives the identifiers of the keys of that name.
func (s *session) locate(name string) ([]string, error) {
	answer, err := ask[*payloads.LocateResponsePayload](s, locateRequest(name))
	if errors.Is(err, keys.ErrNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return answer.UniqueIdentifier, nil
}

// get fetches the key with that identifier.
func (s *session) get(id string) (crypt.Key, error) {
	answer, err := ask[*payloads.GetResponsePayload](s, &payloads.GetRequestPayload{UniqueIdentifier: id})
	if err != nil {
		return crypt.Key{}, s.explain(id, err)
	}
	return parseKey(id, answer)
}

// parseKey takes the key out of an answer to Get.
func parseKey(id string, answer *payloads.GetResponsePayload) (crypt.Key, error) {
	object, ok := answer.Object.(*kmip.SymmetricKey)
	if !ok || answer.UniqueIdentifier != id {
		return crypt.Key{}, fmt.Errorf("%w: the service gives another object", keys.ErrBadKey)
	}
	block := &object.KeyBlock
	if block.KeyFormatType != kmip.KeyFormatTypeRaw || block.KeyWrappingData != nil {
		return crypt.Key{}, fmt.Errorf("%w: the service gives it wrapped, or in another format than Raw", keys.ErrBadKey)
	}
	material, err := block.GetBytes()
	defer clear(material)
	if err != nil {
		return crypt.Key{}, fmt.Errorf("%w: the service gives no bytes of it", keys.ErrBadKey)
	}
	key, err := crypt.NewKey(material)
	if err != nil {
		return crypt.Key{}, fmt.Errorf("%w: %w", keys.ErrBadKey, err)
	}
	return key, nil
}
