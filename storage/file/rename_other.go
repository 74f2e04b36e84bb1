//go:build !linux

package file

import "errors"

func renameNoReplace(int, string, string) error { return errors.ErrUnsupported }
