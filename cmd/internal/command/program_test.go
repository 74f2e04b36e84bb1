package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

type hinted struct{ text, advice string }

func (h hinted) Error() string { return h.text }
func (h hinted) Hint() string  { return h.advice }

func TestReport(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"plain", errors.New("no such thing"), "prog: no such thing\n"},
		{"hint", hinted{"it failed", "do this"}, "prog: it failed\nhint: do this\n"},
		{"hint further down", fmt.Errorf("push x: %w", hinted{"it failed", "do this"}), "prog: push x: it failed\nhint: do this\n"},
		{"outer hint wins", fmt.Errorf("a: %w", &usage{"prog push", hinted{"b", "inner"}}), "prog: a: b\nhint: prog push --help says how it is used\n"},
		{"empty hint", hinted{"it failed", ""}, "prog: it failed\n"},
		{"empty hint above one", WithCode(3, fmt.Errorf("%w", hinted{"it failed", "do this"})), "prog: it failed\nhint: do this\n"},
		{"several errors", errors.Join(errors.New("a"), hinted{"b", "do this"}), "prog: a; b\nhint: do this\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			Report(&b, "prog", tt.err)
			if b.String() != tt.want {
				t.Errorf("got  %q\nwant %q", b.String(), tt.want)
			}
		})
	}
}

func TestPermute(t *testing.T) {
	flags := []cli.Flag{&cli.StringFlag{Name: "config", Aliases: []string{"c"}}, &cli.BoolFlag{Name: "quiet"}}
	sub := []cli.Flag{&cli.StringFlag{Name: "to"}, &cli.BoolFlag{Name: "json"}}
	commands := []*cli.Command{{Name: "keys", Subcommands: []*cli.Command{{Name: "rotate", Flags: sub}}}, {Name: "get", Flags: sub}}
	tests := []struct{ name, in, want string }{
		{"nothing", "", "--"},
		{"flags first", "get --to x A B", "get --to x -- A B"},
		{"flags last", "get A B --to x", "get --to x -- A B"},
		{"flags between", "get A --json B", "get --json -- A B"},
		{"flag with equals sign", "get A --to=x B", "get --to=x -- A B"},
		{"single dash", "get A -to x B", "get -to x -- A B"},
		{"before the command", "--config F get A", "--config F get -- A"},
		{"alias before the command", "-c F get A", "-c F get -- A"},
		{"value like a command", "--config get get A", "--config get get -- A"},
		{"below a command", "keys rotate --to x", "keys rotate --to x --"},
		{"argument like a command", "get get", "get -- get"},
		{"unknown flag", "get A --what B", "get --what -- A B"},
		{"value missing", "get A --to", "get --to"},
		{"end of flags", "get -- --to x", "get -- --to x"},
		{"lone dash", "get - A", "get -- - A"},
		{"unknown command", "gte A --to x", "--to -- gte A x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := permute(flags, commands, strings.Fields(tt.in))
			if want := strings.Fields(tt.want); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// try runs a small program and returns what it printed.
func try(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := Program{
		Name:  "prog",
		Usage: "do things",
		Failure: func(command string) int {
			return map[string]int{"": 10, "verify": 2, "keys": 4, "keys rotate": 5}[command]
		},
		Commands: []*cli.Command{
			{Name: "verify", Flags: append(ConfigFlags(), JSONFlag()), Action: func(c *cli.Context) error {
				a := ConfigFromFlags(c)
				_, err := fmt.Fprintf(c.App.Writer, "config=%s set=%s args=%s", a.File, strings.Join(a.Set, "|"), c.Args().Slice())
				return err
			}},
			{Name: "problems", Action: func(*cli.Context) error { return fmt.Errorf("problems: %w", WithCode(1, nil)) }},
			{Name: "wait", Action: func(c *cli.Context) error {
				<-c.Context.Done()
				return fmt.Errorf("wait: %w", c.Context.Err())
			}},
			{Name: "keys", Subcommands: []*cli.Command{{Name: "rotate", ArgsUsage: "NAME", Action: func(c *cli.Context) error {
				_, err := Operands(c, "NAME")
				return err
			}}}},
		},
	}
	code = p.Run(ctx, Process{Args: args, Stdout: &out, Stderr: &errs})
	return code, out.String(), errs.String()
}

func TestProgram(t *testing.T) {
	tests := []struct {
		name, args     string
		code           int
		stdout, stderr string // stdout: contained; stderr: exact
	}{
		{"flags in front", "--config F --set a=b,c verify", 0, "config=F set=a=b,c args=[]", ""},
		{"flags behind", "verify X --config F --set a=b", 0, "config=F set=a=b args=[X]", ""},
		{"flags on both sides", "--config F --set a=1 verify --config G --set a=2", 0, "config=G set=a=1|a=2", ""},
		{"code alone", "problems", 1, "", ""},
		{"no command", "", 10, "", "prog: prog: which command?\nhint: prog --help says how it is used\n"},
		{"unknown command", "vrfy", 10, "", "prog: prog has no command \"vrfy\"\nhint: prog --help says how it is used\n"},
		{"unknown flag", "verify --nope", 2, "", "prog: flag provided but not defined: -nope\nhint: prog verify --help says how it is used\n"},
		{"unknown flag in front", "--nope verify", 10, "", "prog: flag provided but not defined: -nope\nhint: prog --help says how it is used\n"},
		{"unknown command below", "keys rotat", 4, "", "prog: prog keys has no command \"rotat\"\nhint: prog keys --help says how it is used\n"},
		{"argument missing", "keys rotate", 5, "", "prog: prog keys rotate: NAME is missing\nhint: prog keys rotate --help says how it is used\n"},
		{"argument too many", "keys rotate a b", 5, "", "prog: prog keys rotate: one argument too many: \"b\"\nhint: prog keys rotate --help says how it is used\n"},
		{"argument called help", "verify help", 0, "args=[help]", ""},
		{"help", "--help", 0, "do things", ""},
		{"help of a command", "keys rotate --help", 0, "prog keys rotate", ""},
		{"version", "version", 0, "prog ", ""},
		{"version as JSON", "version --json", 0, `"program": "prog"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := try(t, t.Context(), strings.Fields(tt.args)...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(stdout, tt.stdout) || tt.stdout == "" && stdout != "" {
				t.Errorf("stdout %q, want %q", stdout, tt.stdout)
			}
			if stderr != tt.stderr {
				t.Errorf("stderr %q\nwant   %q", stderr, tt.stderr)
			}
		})
	}
}

func TestStoppedProgramSaysWhy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&SignalError{15})
	_, _, stderr := try(t, ctx, "wait")
	if want := "prog: stopped by signal: terminated\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
}
