// Package command is what both programs share below their commands: how a
// process ends, how errors and log lines are printed, how arguments are read.
//
// What is printed where:
//
//   - stdout carries what was asked for, and nothing else;
//   - stderr carries log lines (log/slog) and, last, the error: one line
//     "program: command object: reason", and where an operator can do
//     something about it a second line "hint: ...".
//
// PostgreSQL reads the exit status of both programs and acts on it, so a
// process ends in one of three ways only: with a code that Program decided on,
// by the signal that it was sent, or, if it broke and was told so with
// AbortOnCrash, by SIGABRT. See Main.
package command
