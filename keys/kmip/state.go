package kmip

import (
	"errors"
	"fmt"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	"walarchive/keys"
)

// explain says of a key that Get was refused for in which state it is, if that
// is why.
func (s *session) explain(id string, refusal error) error {
	var f *failure
	if !errors.As(refusal, &f) || f.reason == 0 {
		return refusal // of the connection: there is nothing to ask
	}
	state, ok := s.state(id)
	if !ok {
		return refusal
	}
	switch state {
	case kmip.StatePreActive:
		return fmt.Errorf("%w: it is not active yet: %w", keys.ErrBadKey, f.without())
	case kmip.StateDeactivated:
		return fmt.Errorf("%w: it is deactivated: %w", keys.ErrBadKey, f.without())
	case kmip.StateCompromised:
		return fmt.Errorf("%w: it is marked as compromised: %w", keys.ErrBadKey, f.without())
	case kmip.StateDestroyed, kmip.StateDestroyedCompromised:
		return fmt.Errorf("%w: it was destroyed: %w", keys.ErrNoKey, f.without())
	}
	return refusal
}

// state asks for a key's state; not every service tells.
func (s *session) state(id string) (kmip.State, bool) {
	answer, err := ask[*payloads.GetAttributesResponsePayload](s, &payloads.GetAttributesRequestPayload{
		UniqueIdentifier: id, AttributeName: []kmip.AttributeName{kmip.AttributeNameState},
	})
	if err != nil {
		return 0, false
	}
	for _, a := range answer.Attribute {
		if state, ok := a.AttributeValue.(kmip.State); ok && a.AttributeName == kmip.AttributeNameState {
			return state, true
		}
	}
	return 0, false
}
