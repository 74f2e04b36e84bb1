package wal

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseLSN(t *testing.T) {
	tests := []struct {
		in   string
		want LSN
		bad  bool
	}{
		{in: "0/0", want: 0},
		{in: "16/B374D848", want: 0x16B374D848},
		{in: "16/b374d848", want: 0x16B374D848},
		{in: "0/00A52A10", want: 0xA52A10},
		{in: "FFFFFFFF/FFFFFFFF", want: 1<<64 - 1},
		{in: "", bad: true},
		{in: "/", bad: true},
		{in: "16", bad: true},
		{in: "/1", bad: true},
		{in: "1/", bad: true},
		{in: "1/2/3", bad: true},
		{in: "123456789/0", bad: true},
		{in: "0/123456789", bad: true},
		{in: "0x1/0", bad: true},
		{in: "-1/0", bad: true},
		{in: "1/ 2", bad: true},
		{in: "1_0/0", bad: true},
	}
	for _, tt := range tests {
		got, err := ParseLSN(tt.in)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("ParseLSN(%q) = %v, %v; want %v, error %t", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

func TestLSNInJSONIsAString(t *testing.T) {
	want := struct{ At LSN }{1<<64 - 1}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); got != `{"At":"FFFFFFFF/FFFFFFFF"}` {
		t.Errorf("got %s", got)
	}
	got := want
	got.At = 0
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("read back %v, %v; want %v", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"At":17}`), &got); err == nil {
		t.Error("a number was taken for an LSN")
	}
}

func TestParseTimeline(t *testing.T) {
	tests := []struct {
		in   string
		want Timeline
		bad  bool
	}{
		{in: "1", want: 1},
		{in: "10", want: 10},
		{in: "4294967295", want: 1<<32 - 1},
		{in: "4294967296", bad: true},
		{in: "0", bad: true},
		{in: "01", bad: true},
		{in: "+1", bad: true},
		{in: "-1", bad: true},
		{in: "A", bad: true},
		{in: "", bad: true},
		{in: "latest", bad: true},
	}
	for _, tt := range tests {
		got, err := ParseTimeline(tt.in)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("ParseTimeline(%q) = %v, %v; want %v, error %t", tt.in, got, err, tt.want, tt.bad)
		}
	}
	if got := Timeline(10).Hex(); got != "0000000A" {
		t.Errorf("hex of timeline 10: got %s", got)
	}
}

func TestLocationsOrderByTimelineFirst(t *testing.T) {
	ordered := []Location{{}, {1, 0}, {1, 0x500}, {2, 0x100}, {2, 0x101}, {3, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), compareInt(i, j); got != want {
				t.Errorf("(%v).Compare(%v) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func compareInt(i, j int) int {
	switch {
	case i < j:
		return -1
	case i > j:
		return 1
	}
	return 0
}

func FuzzParseLSN(f *testing.F) {
	for _, seed := range []string{"0/0", "16/B374D848", "ffffffff/ffffffff", "0/00A52A10", "1", "1/2/3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lsn, err := ParseLSN(s)
		if err != nil {
			return
		}
		if back, err := ParseLSN(lsn.String()); err != nil || back != lsn {
			t.Errorf("%q parses to %v, which parses to %v, %v", s, lsn, back, err)
		}
		if len(s) > len("FFFFFFFF/FFFFFFFF") || strings.Count(s, "/") != 1 {
			t.Errorf("%q was taken for an LSN", s)
		}
	})
}
