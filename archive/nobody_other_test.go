//go:build !linux

package archive_test

import "testing"

// asNobody runs do: tests that need it are not run as root here.
func asNobody(t testing.TB, do func() error) error { return do() }
