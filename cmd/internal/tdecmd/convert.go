package tdecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"

	"walarchive/archive/wal"
	"walarchive/cmd/internal/command"
	"walarchive/crypt/tde"
)

// chunk is how much of a segment is in memory, in bytes: whole pages.
const chunk = 4 << 20

// conversion is one WAL file on its way from one form to the other.
type conversion struct {
	keys     *tde.Keys
	encrypt  bool
	name     string
	src, dst string
	log      *slog.Logger
}

func convert(c *cli.Context, p command.Process, encrypt bool) error {
	args, err := command.Operands(c, "NAME", "SRC", "DST")
	if err != nil {
		return err
	}
	k, err := openKeys(c)
	if err != nil {
		return err
	}
	v := conversion{k, encrypt, args[0], args[1], args[2], command.Logger(p.Stderr, slog.LevelWarn, false)}
	if err := v.run(c.Context); err != nil {
		return fmt.Errorf("tde %s %s: %w", c.Command.Name, v.name, err)
	}
	return nil
}

func (v *conversion) run(ctx context.Context) error {
	in, err := os.Open(v.src)
	if err != nil {
		return err
	}
	defer in.Close()
	stat, err := in.Stat()
	if err != nil {
		return err
	}
	if !stat.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", v.src)
	}
	n, err := parseName(v.name, stat.Size())
	if err != nil {
		return err
	}
	return create(v.dst, func(out io.Writer) error {
		if n.Kind == wal.KindHistory || n.Kind == wal.KindBackup {
			_, err := io.Copy(out, in) // pg_tde leaves them as they are
			return err
		}
		return v.segment(ctx, n, in, out)
	})
}

// parseName reads the name of a WAL file. Segments have the cluster's segment
// size; the small files do not show it, so any does.
func parseName(name string, size int64) (wal.Name, error) {
	for s := int64(wal.MinSegmentSize); s <= wal.MaxSegmentSize; s *= 2 {
		n, err := wal.ParseName(name, s)
		if err == nil && (n.Kind == wal.KindHistory || n.Kind == wal.KindBackup) {
			return n, nil
		}
	}
	if !wal.ValidSegmentSize(size) {
		return wal.Name{}, fmt.Errorf("the file has %d bytes: no WAL segment is of that size", size)
	}
	return wal.ParseName(name, size)
}

// segment converts a segment, complete or partial. The plaintext, on whichever
// side, is held against the rules for WAL, every page and every record.
func (v *conversion) segment(ctx context.Context, n wal.Name, in *os.File, out io.Writer) error {
	cipher, err := v.keys.Cipher(ctx, n.Segment)
	if err != nil {
		return err
	}
	defer cipher.Wipe()
	scan := wal.NewScanner(n.Segment, wal.ScanOptions{KeepTail: true})
	buf := make([]byte, min(chunk, n.Segment.Size))
	for off := int64(0); off < n.Segment.Size; off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, buf); err != nil {
			return fmt.Errorf("read %s: %w", v.src, err)
		}
		if !v.encrypt {
			cipher.XOR(buf, off)
		}
		if err := scan.Next(buf); err != nil {
			return err
		}
		if v.encrypt {
			cipher.XOR(buf, off)
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	_, end := scan.Close()
	if err := v.judge(n, end, cipher, in); err != nil {
		return err
	}
	v.warn(n, end, cipher)
	return nil
}

// judge refuses what is not sound WAL to its end. The end of a partial segment
// cannot be told from noise: there its beginning must do.
func (v *conversion) judge(n wal.Name, end wal.End, cipher *tde.Cipher, in io.ReaderAt) error {
	switch {
	case end.Kind != wal.EndInvalid:
		return nil
	case n.Kind == wal.KindPartial && end.LSN > n.Segment.Start():
		return nil
	case v.encrypt:
		return v.notPlain(end, cipher, in)
	}
	if err := cipher.Diagnose(in, int64(end.LSN-n.Segment.Start())); err != nil {
		return err
	}
	return fmt.Errorf("%s is not sound WAL of that name: %w", v.src, end.Cause)
}

func (v *conversion) notPlain(end wal.End, cipher *tde.Cipher, in io.ReaderAt) error {
	err := fmt.Errorf("%s is not WAL of that name in plaintext: %w", v.src, end.Cause)
	page := make([]byte, wal.PageSize)
	if _, e := in.ReadAt(page, 0); e != nil {
		return errors.Join(err, e)
	}
	cipher.XOR(page, 0)
	if _, e := wal.Identify(page); cipher.Encrypted() && e == nil {
		return command.WithHint(err, "it is WAL once decrypted with these keys: it is encrypted already")
	}
	return err
}

func (v *conversion) warn(n wal.Name, end wal.End, cipher *tde.Cipher) {
	if n.Kind == wal.KindPartial && end.Kind == wal.EndInvalid {
		v.log.Warn("end of a partial segment is not proven", "segment", n, "end", end.LSN)
	}
	switch {
	case !cipher.Encrypted():
		v.log.Warn("no encrypted range applies: the file is copied as it is, in plaintext", "segment", n, "to", v.dst)
	case !v.encrypt:
		v.log.Warn("this is WAL in plaintext on disk: remove it when it has served", "file", v.dst)
	}
}
