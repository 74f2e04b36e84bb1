package queue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"walarchive/archive"
)

// FuzzReceive: whatever comes, reading it ends, allocates no more than a
// message may have, and what was understood can be said again.
func FuzzReceive(f *testing.F) {
	for _, m := range []any{
		request{Protocol: protocol, Op: OpPush, Config: "abc", Question: []byte(`{"data_dir":"/x"}`)},
		reply{Working: true, Progress: 3},
		reply{Failure: newFailure(archive.ErrHole)},
		reply{Declined: "no"},
	} {
		var b bytes.Buffer
		if err := send(&b, m); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add(binary.BigEndian.AppendUint32(nil, 1<<31))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q request
		if receive(bytes.NewReader(b), &q) == nil {
			if err := send(&bytes.Buffer{}, q); err != nil && len(b) < maxMessage/8 {
				t.Errorf("%+v cannot be sent: %v", q, err)
			}
		}
		var r reply
		if receive(bytes.NewReader(b), &r) == nil && r.Failure != nil {
			_ = r.Failure.error().Error()
		}
	})
}

func TestMessagesAreBounded(t *testing.T) {
	if err := send(&bytes.Buffer{}, reply{Declined: strings.Repeat("x", maxMessage)}); err == nil {
		t.Error("a message that is too long was sent")
	}
	long := binary.BigEndian.AppendUint32(nil, maxMessage+1)
	if err := receive(bytes.NewReader(append(long, make([]byte, maxMessage+1)...)), &reply{}); err == nil {
		t.Error("a message that is too long was read")
	}
}

// Every kind of failure comes out as it went in, whichever it is wrapped in.
func TestKindsCross(t *testing.T) {
	for name, kind := range kinds() {
		got := newFailure(errors.Join(errors.New("more"), kind)).error()
		for other, k := range kinds() {
			if errors.Is(kind, k) != errors.Is(got, k) {
				t.Errorf("%s crossed: errors.Is(%s) is %v", name, other, errors.Is(got, k))
			}
		}
	}
}
