package tde

import (
	"fmt"
	"net"
)

// Location says for people where the provider's keys are: a path, an address
// and mount. What it says is configuration, never a credential.
func (p *Provider) Location() string {
	o, err := p.Options()
	if err != nil {
		return printable(p.Text)
	}
	switch o := o.(type) {
	case FileOptions:
		return printable(o.Path)
	case VaultOptions:
		where := printable(o.URL) + " mount " + printable(o.MountPath)
		if o.Namespace != "" {
			where += " namespace " + printable(o.Namespace)
		}
		return where
	case KMIPOptions:
		return printable(net.JoinHostPort(o.Host, o.Port))
	}
	return ""
}

// String is name, type and location.
func (p *Provider) String() string {
	return fmt.Sprintf("%q (%s) at %s", p.Name, p.Type, p.Location())
}
