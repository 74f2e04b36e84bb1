package file

import "golang.org/x/sys/unix"

// renameNoReplace renames within directory dir, and fails with EEXIST if the
// new name is taken.
func renameNoReplace(dir int, from, to string) error {
	return unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
}
