package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// permute moves flags ahead of the other arguments of their command, as
// people write them in any order and the parser stops at the first that is no
// flag. Behind "--" nothing is a flag.
func permute(flags []cli.Flag, commands []*cli.Command, args []string) []string {
	var front, rest []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			rest, args = append(rest, args...), nil
		case len(arg) > 1 && arg[0] == '-':
			front = append(front, arg)
			if !wantsValue(flags, arg) {
				continue
			}
			if len(args) == 0 {
				return front // the parser says what is missing
			}
			front, args = append(front, args[0]), args[1:]
		default:
			if c := find(commands, arg); c != nil && len(rest) == 0 {
				return append(append(front, arg), permute(c.Flags, c.Subcommands, args)...)
			}
			rest = append(rest, arg)
		}
	}
	return append(append(front, "--"), rest...)
}

func find(commands []*cli.Command, name string) *cli.Command {
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(name) })
	if i < 0 {
		return nil
	}
	return commands[i]
}

// wantsValue reports whether the flag arg, -name or --name, takes the next
// argument for its value; -name=value has it already.
func wantsValue(flags []cli.Flag, arg string) bool {
	name := strings.TrimPrefix(arg[1:], "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			d, ok := f.(cli.DocGenerationFlag)
			return ok && d.TakesValue()
		}
	}
	return false
}

// Operands gives the arguments of a command that are no flags, which must be
// as many as there are names.
func Operands(c *cli.Context, names ...string) ([]string, error) {
	got := c.Args().Slice()
	path := c.Command.HelpName
	switch {
	case len(got) < len(names):
		return nil, Usagef(path, "%s: %s is missing", path, names[len(got)])
	case len(got) > len(names):
		return nil, Usagef(path, "%s: one argument too many: %q", path, got[len(names)])
	}
	return got, nil
}
