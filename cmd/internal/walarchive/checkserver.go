package walarchive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// checkServer asks the server that runs on the data directory how it archives
// and, unless told not to, lets it.
func (u *checkup) checkServer(ctx context.Context, environ []string, noSwitch bool) {
	s, err := u.findServer(environ)
	if err != nil {
		u.unchecked("server", err.Error(), "start the server, and run check as its account, with psql in PATH")
		return
	}
	var said archiving
	if err := s.ask(ctx, archivingQuery, &said); err != nil {
		u.unchecked("server", err.Error(), "let psql connect: run check as the server's account, or set PGUSER")
		return
	}
	if said.SystemID != strconv.FormatUint(u.dir.Control.SystemID, 10) {
		u.problem("server", "another cluster's server runs at "+s.String(), "postmaster.pid is a leftover: give check the data directory of the running server")
		return
	}
	u.ok("server", "runs at %s", s)
	archives := u.checkMode(said.Mode) && u.checkCommand(said.Command, said.Library)
	switch {
	case noSwitch:
		u.unchecked(switchCheck, "--no-switch", "leave it out to see a segment arrive")
	case !archives || !u.takes:
		u.unchecked(switchCheck, "nothing can arrive", "solve the problems above first")
	case said.Recovery:
		u.unchecked(switchCheck, "this server is a standby", "run check on the primary too")
	default:
		u.checkSwitch(ctx, s)
	}
}

// archiving is what a server says of itself.
type archiving struct {
	Mode     string `json:"mode"`
	Command  string `json:"command"`
	Library  string `json:"library"`
	Recovery bool   `json:"recovery"`
	SystemID string `json:"system_id"`
}

// archivingQuery makes JSON, as a command may hold whatever psql would take for
// the end of a column or row.
const archivingQuery = `SELECT json_build_object(
	'mode', current_setting('archive_mode'),
	'command', current_setting('archive_command'),
	'library', current_setting('archive_library'),
	'recovery', pg_is_in_recovery(),
	'system_id', (SELECT system_identifier::text FROM pg_control_system()))`

// findServer reads how the server that runs on the data directory is reached.
func (u *checkup) findServer(environ []string) (*server, error) {
	if u.dir == nil {
		return nil, errors.New("no data directory is known")
	}
	pid, err := os.ReadFile(filepath.Join(u.dir.Path, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no server runs on %s", u.dir.Path)
	}
	if err != nil {
		return nil, err
	}
	return newServer(string(pid), u.dir.Major, environ)
}

func (u *checkup) checkMode(mode string) bool {
	if mode == "off" {
		u.problem("archive_mode", "off", "ALTER SYSTEM SET archive_mode = on; then restart the server")
		return false
	}
	u.ok("archive_mode", "%s", mode)
	return true
}

// pushes finds the program in a command that calls it.
var pushes = regexp.MustCompile(`(?s)([^\s'"=]*walarchive)['"]?\s.*\bpush\b.*%p`)

func (u *checkup) checkCommand(command, library string) bool {
	const hint = "ALTER SYSTEM SET archive_command = '/usr/local/bin/walarchive push %p', with the path of the program; then SELECT pg_reload_conf()"
	call := pushes.FindStringSubmatch(command)
	switch {
	case library != "":
		u.problem("archive_command", "archive_library = "+library+" archives instead", "ALTER SYSTEM RESET archive_library; then SELECT pg_reload_conf()")
	case command == "":
		u.problem("archive_command", "empty", hint)
	case call == nil:
		u.problem("archive_command", "does not call walarchive push %p: "+command, hint)
	case filepath.IsAbs(call[1]) && !isProgram(call[1]):
		u.problem("archive_command", call[1]+" is no program on this host", hint)
	default:
		u.ok("archive_command", "%s", command)
		return true
	}
	return false
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

const switchCheck = "WAL switch"

// switchPatience is how long a segment may take to arrive.
const switchPatience = time.Minute

// checkSwitch ends the server's WAL segment and waits until it has arrived.
func (u *checkup) checkSwitch(ctx context.Context, s *server) {
	segment, err := s.switchWAL(ctx)
	if err != nil {
		u.unchecked(switchCheck, err.Error(), "run check as a superuser of the server, or GRANT EXECUTE ON FUNCTION pg_switch_wal() to its role")
		return
	}
	begin := time.Now()
	arrived, err := u.awaitSegment(ctx, segment)
	switch {
	case err != nil:
		u.failed(switchCheck, err)
	case !arrived:
		u.problem(switchCheck, fmt.Sprintf("%s has not arrived within %v", segment, switchPatience),
			"the server's log says why, as do last_failed_wal and last_archived_wal of pg_stat_archiver; does archive_command use the same configuration?")
	default:
		u.ok(switchCheck, "%s arrived after %v", segment, time.Since(begin).Round(time.Millisecond))
	}
}

func (u *checkup) awaitSegment(ctx context.Context, segment string) (bool, error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(switchPatience); time.Now().Before(deadline); {
		if held, err := u.archive.Holds(ctx, u.dir, segment); held || err != nil {
			return held, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return false, nil
}
