package kmiptest

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"
)

func denied(reason kmip.ResultReason) error { return kmipserver.Errorf(reason, "DENIED") }

// described is what attributes say of an object.
type described struct {
	name       string
	bits       int32
	activation *time.Time
}

func describe(attributes []kmip.Attribute) (d described) {
	for _, a := range attributes {
		switch v := a.AttributeValue.(type) {
		case kmip.Name:
			d.name = v.NameValue
		case int32:
			d.bits = v
		case time.Time:
			if a.AttributeName == kmip.AttributeNameActivationDate {
				d.activation = &v
			}
		}
	}
	return d
}

// put stores a new object: Active at once with an Activation Date that has
// passed, Pre-Active otherwise.
func (c *Cosmian) put(ctx context.Context, d described, key kmip.SymmetricKey) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	user, _ := ctx.Value(userKey{}).(string)
	o := &object{owner: user, name: d.name, key: key, state: kmip.StatePreActive}
	if d.activation != nil && !d.activation.After(time.Now()) {
		o.state, o.activated = kmip.StateActive, *d.activation
	}
	return c.add(o)
}

func (c *Cosmian) create(ctx context.Context, r *payloads.CreateRequestPayload) (*payloads.CreateResponsePayload, error) {
	d := describe(r.TemplateAttribute.Attribute)
	material := make([]byte, d.bits/8)
	_, _ = rand.Read(material) // never fails
	return &payloads.CreateResponsePayload{ObjectType: r.ObjectType, UniqueIdentifier: c.put(ctx, d, rawKey(material))}, nil
}

func (c *Cosmian) register(ctx context.Context, r *payloads.RegisterRequestPayload) (*payloads.RegisterResponsePayload, error) {
	key, ok := r.Object.(*kmip.SymmetricKey)
	if !ok {
		return nil, kmipserver.ErrFeatureNotSupported
	}
	return &payloads.RegisterResponsePayload{UniqueIdentifier: c.put(ctx, describe(r.TemplateAttribute.Attribute), *key)}, nil
}

// locate gives identifiers in no order, as there is none in the service's
// query either; that is Go's map's.
func (c *Cosmian) locate(ctx context.Context, r *payloads.LocateRequestPayload) (*payloads.LocateResponsePayload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := describe(r.Attribute).name
	answer := &payloads.LocateResponsePayload{}
	for id, o := range c.objects {
		if o.owner == ctx.Value(userKey{}) && o.name == name && !destroyed(o.state) && len(answer.UniqueIdentifier) < int(r.MaximumItems) {
			answer.UniqueIdentifier = append(answer.UniqueIdentifier, id)
		}
	}
	return answer, nil
}

func (c *Cosmian) get(ctx context.Context, r *payloads.GetRequestPayload) (*payloads.GetResponsePayload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, err := c.find(ctx, r.UniqueIdentifier)
	if err != nil {
		return nil, err
	}
	switch {
	case destroyed(o.state):
		return nil, denied(ObjectDestroyed)
	case o.state == kmip.StateDeactivated, c.Strict && o.state != kmip.StateActive:
		return nil, denied(WrongState)
	}
	key := o.key
	return &payloads.GetResponsePayload{ObjectType: kmip.ObjectTypeSymmetricKey, UniqueIdentifier: r.UniqueIdentifier, Object: &key}, nil
}

func (c *Cosmian) getAttributes(ctx context.Context, r *payloads.GetAttributesRequestPayload) (*payloads.GetAttributesResponsePayload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, err := c.find(ctx, r.UniqueIdentifier)
	if err != nil {
		return nil, err
	}
	return &payloads.GetAttributesResponsePayload{
		UniqueIdentifier: r.UniqueIdentifier,
		Attribute:        []kmip.Attribute{{AttributeName: kmip.AttributeNameState, AttributeValue: o.state}},
	}, nil
}

// activate takes Pre-Active keys only: a second Activate is an error.
func (c *Cosmian) activate(ctx context.Context, r *payloads.ActivateRequestPayload) (*payloads.ActivateResponsePayload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, err := c.find(ctx, r.UniqueIdentifier)
	if err != nil {
		return nil, err
	}
	if o.state != kmip.StatePreActive {
		return nil, denied(WrongState)
	}
	o.state, o.activated = kmip.StateActive, time.Now()
	return &payloads.ActivateResponsePayload{UniqueIdentifier: r.UniqueIdentifier}, nil
}

// revoke may be repeated.
func (c *Cosmian) revoke(ctx context.Context, r *payloads.RevokeRequestPayload) (*payloads.RevokeResponsePayload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, err := c.find(ctx, r.UniqueIdentifier)
	if err != nil {
		return nil, err
	}
	switch r.RevocationReason.RevocationReasonCode {
	case kmip.RevocationReasonCodeKeyCompromise, kmip.RevocationReasonCodeCACompromise:
		o.state = kmip.StateCompromised
	default:
		o.state = kmip.StateDeactivated
	}
	return &payloads.RevokeResponsePayload{UniqueIdentifier: r.UniqueIdentifier}, nil
}

// destroy keeps what is known of a key, but for its bytes. An Active key with
// an Activation Date must be revoked first.
func (c *Cosmian) destroy(ctx context.Context, r *payloads.DestroyRequestPayload) (*payloads.DestroyResponsePayload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, err := c.find(ctx, r.UniqueIdentifier)
	if err != nil {
		return nil, err
	}
	if o.state == kmip.StateActive && !o.activated.IsZero() {
		return nil, denied(WrongState)
	}
	o.key, o.state = kmip.SymmetricKey{}, kmip.StateDestroyed
	return &payloads.DestroyResponsePayload{UniqueIdentifier: r.UniqueIdentifier}, nil
}
