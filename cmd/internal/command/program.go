package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// Program is a command line program: a tree of commands.
type Program struct {
	Name     string
	Usage    string // one line
	Commands []*cli.Command

	// Failure gives the exit code of an error that brings none of its own
	// (WithCode). command is the name of the command, "keys rotate", or empty
	// if the arguments name none.
	Failure func(command string) int
}

// Run runs the command that the arguments name and returns the exit code. An
// error is printed, unless it is a code alone.
func (p Program) Run(ctx context.Context, proc Process) int {
	app := p.app(proc)
	args := append([]string{p.Name}, permute(app.Flags, app.Commands, proc.Args)...)
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	var stopped *SignalError
	if errors.As(context.Cause(ctx), &stopped) {
		err = stopped
	}
	var own *coded
	if !errors.As(err, &own) || own.err != nil {
		Report(proc.Stderr, p.Name, err)
	}
	return p.code(err)
}

func (p Program) app(proc Process) *cli.App {
	app := &cli.App{
		Name:      p.Name,
		HelpName:  p.Name,
		Usage:     p.Usage,
		Writer:    proc.Stdout,
		ErrWriter: proc.Stderr,
		Flags:     ConfigFlags(),
		Commands:  append(p.Commands, versionCommand(p.Name)),
		Action:    noCommand(p.Name),

		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError(p.Name),
		ExitErrHandler:            func(*cli.Context, error) {}, // Main ends the process, nobody else
	}
	prepare(app.Commands, p.Name, "")
	return app
}

// prepare gives every command what all have in common. prefix is the path to
// the commands, with a space at its end.
func prepare(commands []*cli.Command, program, prefix string) {
	for _, c := range commands {
		name := prefix + c.Name
		c.OnUsageError = named(name, usageError(program+" "+name))
		c.HideHelpCommand = true // a file may be called help
		if c.Action == nil {
			c.Action = noCommand(program + " " + name)
		}
		action := c.Action
		c.Action = func(ctx *cli.Context) error {
			if err := action(ctx); err != nil {
				return &commandError{name, err}
			}
			return nil
		}
		prepare(c.Subcommands, program, name+" ")
	}
}

// commandError notes for Program.Failure which command failed. It prints as
// the error alone.
type commandError struct {
	command string
	err     error
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

func named(command string, f cli.OnUsageErrorFunc) cli.OnUsageErrorFunc {
	return func(c *cli.Context, err error, sub bool) error {
		return &commandError{command, f(c, err, sub)}
	}
}

func usageError(path string) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		return Usagef(path, "%w", err)
	}
}

// noCommand is the action of a level that only has commands below it.
func noCommand(path string) cli.ActionFunc {
	return func(c *cli.Context) error {
		if name := c.Args().First(); name != "" {
			return Usagef(path, "%s has no command %q", path, name)
		}
		return Usagef(path, "%s: which command?", path)
	}
}

// Usagef is an error of the one who typed the command. path, such as
// "walarchive keys", tells whose help to read.
func Usagef(path, format string, args ...any) error {
	return &usage{path, fmt.Errorf(format, args...)}
}

type usage struct {
	path string
	err  error
}

func (e *usage) Error() string { return e.err.Error() }
func (e *usage) Unwrap() error { return e.err }
func (e *usage) Hint() string  { return e.path + " --help says how it is used" }

// WithCode gives an error the exit code that its program ends with. If err is
// nil, nothing is printed: the code is the whole message.
func WithCode(code int, err error) error { return &coded{code, err} }

type coded struct {
	code int
	err  error
}

func (e *coded) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *coded) Unwrap() error { return e.err }

func (p Program) code(err error) int {
	var own *coded
	if errors.As(err, &own) {
		return own.code
	}
	var in *commandError
	if errors.As(err, &in) {
		return p.Failure(in.command)
	}
	return p.Failure("")
}
