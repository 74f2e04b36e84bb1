package wal_test

import (
	"errors"
	"testing"

	"walarchive/archive/wal"
)

func TestPageHeaderComesBack(t *testing.T) {
	for _, h := range []wal.PageHeader{
		{Magic: 0xD116, Flags: wal.PageContinues, Timeline: 3, Address: 0x16_B374_C000, Left: 77},
		{
			Magic: 0xD118, Flags: wal.PageLong | wal.PageRemovable, Timeline: 1 << 31, Address: 1 << 40,
			SystemID: 1<<64 - 2, SegmentSize: 1 << 30, PageSize: 8192,
		},
	} {
		b := h.Append(nil)
		got, err := wal.ParsePageHeader(b)
		if err != nil || got != h || len(b) != h.Size() {
			t.Errorf("%+v comes back from %d bytes as %+v, %v", h, len(b), got, err)
		}
		for n := range b {
			if _, err := wal.ParsePageHeader(b[:n]); err == nil {
				t.Errorf("%d bytes were read as a header", n)
			}
		}
	}
}

func TestPageMagic(t *testing.T) {
	seen := make(map[uint16]bool)
	for major := 15; major <= 18; major++ {
		m, known := wal.PageMagic(major)
		if !known || seen[m] {
			t.Errorf("PostgreSQL %d: magic 0x%04X, %t", major, m, known)
		}
		seen[m] = true
	}
	for _, major := range []int{0, 14, 19} {
		if m, known := wal.PageMagic(major); known {
			t.Errorf("PostgreSQL %d: magic 0x%04X", major, m)
		}
	}
}

func TestIdentifyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(page []byte)
		field  string
	}{
		"zeros":                 {func(p []byte) { clear(p) }, wal.FieldMagic},
		"noise":                 {noise, wal.FieldMagic},
		"PostgreSQL 14":         {func(p []byte) { p[0] = 0x0D }, wal.FieldMagic},
		"not the first page":    {func(p []byte) { p[2] &^= wal.PageLong }, wal.FieldFlags},
		"unknown flag":          {func(p []byte) { p[3] = 1 }, wal.FieldFlags},
		"segments of 3 MiB":     {func(p []byte) { p[34] = 0x30 }, wal.FieldSegmentSize},
		"segments of 2 GiB":     {func(p []byte) { p[34], p[35] = 0, 0x80 }, wal.FieldSegmentSize},
		"pages of 16 KiB":       {func(p []byte) { p[37] = 0x40 }, wal.FieldPageSize},
		"shorter than a header": {nil, ""},
	} {
		w := newWriter()
		w.Skip(40)
		b := w.Segment(3)
		if c.change == nil {
			b = b[:39]
		} else {
			c.change(b[:wal.PageSize])
		}
		id, err := wal.Identify(b)
		var pe *wal.PageError
		if err == nil || c.field != "" && (!errors.As(err, &pe) || pe.Field != c.field) {
			t.Errorf("%s: got %+v, %v, want a wrong %s", name, id, err, c.field)
		}
	}
}
