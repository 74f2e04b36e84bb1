package walarchive

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"walarchive/archive"
	"walarchive/cmd/internal/command"
	"walarchive/keys"
)

func keysRotate(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "rotate",
		Usage: "go over to another principal key",
		Description: "Opens a new epoch under the principal key NAME of keys.provider, or PROVIDER/NAME, and wraps the\n" +
			"open epoch with it too. What is stored stays as it is. Then set keys.principal to NAME on every\n" +
			"host. Keep the old principal key: it is still needed for older epochs.",
		Flags: append(command.ConfigFlags(),
			&cli.StringFlag{Name: "to", Usage: "`NAME` of the principal key to go over to"},
			&cli.BoolFlag{Name: "create-key", Usage: "make that key, if it is not there"},
			command.JSONFlag()),
		Action: keysAction(p, rotate),
	}
}

func rotate(k *keysCall) error {
	to, err := k.flagRef("to")
	if err != nil {
		return err
	}
	if err := k.createKey(to); err != nil {
		return err
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	if err := a.RotatePrincipal(k.Context.Context, to); err != nil {
		return err
	}
	open := openEpoch(a)
	return k.print(describeEpoch(open), "epoch %d is open, under %v\nSet %s on every host, and keep the old key: older epochs need it.\n", open.Number, to, k.settings(to))
}

// settings are those that make r the principal key of a host.
func (k *keysCall) settings(r keys.Ref) string {
	text := fmt.Sprintf("keys.principal = %q", r.Key)
	if r.Provider != k.Config.Keys.Provider {
		text = fmt.Sprintf("keys.provider = %q and %s", r.Provider, text)
	}
	return text
}

func openEpoch(a *archive.Archive) keys.Epoch {
	all := a.Epochs()
	return all[len(all)-1]
}

func keysRewrap(p command.Process) *cli.Command {
	return &cli.Command{
		Name:  "rewrap",
		Usage: "let another principal key open all that one opens",
		Description: "Wraps every epoch that the principal key FROM opens with TO as well. What is stored stays as it\n" +
			"is, and FROM goes on opening it. If both are one Transit key, epochs wrapped by an older version of\n" +
			"it are wrapped anew by the newest, inside the service.",
		Flags: append(command.ConfigFlags(),
			&cli.StringFlag{Name: "from", Usage: "the principal key, `NAME` or PROVIDER/NAME, that opens them"},
			&cli.StringFlag{Name: "to", Usage: "the principal key, `NAME` or PROVIDER/NAME, that is to open them"},
			command.JSONFlag()),
		Action: keysAction(p, rewrap),
	}
}

func rewrap(k *keysCall) error {
	from, err := k.flagRef("from")
	if err != nil {
		return err
	}
	to, err := k.flagRef("to")
	if err != nil {
		return err
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	if err := a.Rewrap(k.Context.Context, from, to); err != nil {
		return err
	}
	part := principalPart{to, a.Retired(to), epochsOf(a, to), a.Sole(to)}
	return k.print(part, "%v opens the epochs %s\n", to, numbers(part.Opens))
}

// principalPart is what an archive owes to a principal key.
type principalPart struct {
	Principal keys.Ref `json:"principal"`
	Retired   bool     `json:"retired"`
	Opens     []int    `json:"opens"` // epochs
	Sole      []int    `json:"sole"`  // those that no other principal key opens
}

func epochsOf(a *archive.Archive, r keys.Ref) []int {
	all := []int{}
	for _, e := range a.Epochs() {
		for _, w := range e.Wraps() {
			if (keys.Ref{Provider: w.Provider, Key: w.Key}) == r {
				all = append(all, e.Number)
			}
		}
	}
	return all
}

func numbers(all []int) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ", ")
}

func keysRetire(p command.Process) *cli.Command {
	return &cli.Command{
		Name:      "retire",
		Usage:     "never use a principal key for new wraps again",
		ArgsUsage: "NAME",
		Description: "NAME or PROVIDER/NAME is a principal key that the archive went on from. It goes on opening what it\n" +
			"wrapped: the answer says which epochs, and which no other key opens.",
		Flags:  append(command.ConfigFlags(), command.JSONFlag()),
		Action: keysAction(p, retire, "NAME"),
	}
}

func retire(k *keysCall) error {
	r, err := k.parseRef(k.operands[0])
	if err != nil {
		return err
	}
	if r == k.Principal() {
		return command.WithHint(fmt.Errorf("%v is the principal key of this configuration", r),
			"go over to another first: walarchive keys rotate --to NAME, then set keys.principal")
	}
	a, err := k.open()
	if err != nil {
		return err
	}
	part := principalPart{Principal: r, Sole: a.Sole(r)}
	if err := a.Retire(k.Context.Context, r); err != nil {
		return err
	}
	part.Retired, part.Opens = a.Retired(r), epochsOf(a, r)
	text := fmt.Sprintf("%v is retired\nIt still opens the epochs %s, and so do their objects without the key chain: do not destroy it.\n", r, numbers(part.Opens))
	if len(part.Sole) > 0 {
		text += fmt.Sprintf("NO OTHER PRINCIPAL KEY opens the epochs %s: walarchive keys rewrap --from %v --to NAME\n", numbers(part.Sole), r)
	}
	return k.print(part, "%s", text)
}
