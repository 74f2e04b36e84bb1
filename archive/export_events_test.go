package archive

import (
	"context"

	"walarchive/archive/wal"
	"walarchive/crypt"
)

// PutNewerEvent stores entry n of the event log as a later version could.
func PutNewerEvent(ctx context.Context, a *Archive, n int) error {
	b := []byte(`{"v":2,"n":5,"wonders":true}`)
	f := &Facts{Size: int64(len(b)), Digest: crypt.DigestBytes(b)}
	return a.putSealed(ctx, KindEvents, eventObject(n), f, content{plain: b})
}

// EventEntryExample is the content of an entry.
func EventEntryExample() string {
	at := wal.Location{Timeline: 1, LSN: 0x28}
	b, err := (&eventEntry{Version: 1, Number: 1, Incarnation: 1, Events: []KeyEvent{
		{At: at, Node: "db1:/pg", Info: wal.TDEDeletePrincipalKey, Payload: []byte{5, 0, 0, 0}},
		{At: at, Node: "db1:/pg", Cut: true},
	}}).encode()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ReencodeEventEntry writes again what it reads.
func ReencodeEventEntry(b []byte) ([]byte, error) {
	e, err := parseEventEntry(1, b)
	if err != nil {
		return nil, err
	}
	return e.encode()
}
