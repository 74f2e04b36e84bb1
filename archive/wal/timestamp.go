package wal

import (
	"fmt"
	"strconv"
	"time"
)

// Timestamp is a moment as WAL records carry it: microseconds since
// 2000-01-01 00:00:00 UTC (PostgreSQL: TimestampTz). It prints in RFC 3339
// with six digits, in UTC. Moments outside the years 1 to 9999, which no
// sound record has, print as the bare number.
type Timestamp int64

const (
	unixEpoch2000 = 946684800 // 2000-01-01 in seconds since 1970
	rfc3339Micro  = "2006-01-02T15:04:05.000000Z"
)

// TimestampOf is t cut to microseconds.
func TimestampOf(t time.Time) Timestamp { return Timestamp(t.UnixMicro() - unixEpoch2000*1e6) }

// Time is the moment in UTC.
func (t Timestamp) Time() time.Time {
	sec, usec := int64(t)/1e6, int64(t)%1e6
	return time.Unix(unixEpoch2000+sec, usec*1000).UTC()
}

func (t Timestamp) String() string {
	if u := t.Time(); u.Year() >= 1 && u.Year() <= 9999 {
		return u.Format(rfc3339Micro)
	}
	return strconv.FormatInt(int64(t), 10)
}

// ParseTimestamp reads what String prints.
func ParseTimestamp(s string) (Timestamp, error) {
	var t Timestamp
	if u, err := time.Parse(rfc3339Micro, s); err == nil {
		t = TimestampOf(u)
	} else if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		t = Timestamp(n)
	}
	if t.String() == s {
		return t, nil
	}
	return 0, fmt.Errorf("%q is not a time such as 2026-11-21T22:54:54.322096Z", s)
}

// MarshalText is String.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is ParseTimestamp.
func (t *Timestamp) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTimestamp(string(b))
	return err
}
