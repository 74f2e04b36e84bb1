package archive

import (
	"context"

	"walarchive/archive/wal"
	"walarchive/crypt"
	"walarchive/crypt/tde"
)

// PutNewerEvent stores entry n of the event log as a later version could.
func PutNewerEvent(ctx context.Context, a *Archive, n int) error {
	b := []byte(`{"v":2,"n":5,"wonders":true}`)
	f := &Facts{Size: int64(len(b)), Digest: crypt.DigestBytes(b)}
	return a.putSealed(ctx, KindEvents, eventObject(n), f, content{plain: b})
}

// EventEntryExample is the content of an entry that has everything.
func EventEntryExample() string {
	at := wal.Location{Timeline: 1, LSN: 0x28}
	signed := make([]byte, 312)
	copy(signed, []byte{0x80, 6, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF})
	copy(signed[24:], "k1")
	info, err := tde.ParsePrincipalInfo(signed)
	if err != nil {
		panic(err)
	}
	b, err := (&eventEntry{Version: 1, Number: 1, Rebuilt: 1, Incarnation: 1, Events: []KeyEvent{
		{At: at, Node: "db1:/pg", Info: wal.TDEDeletePrincipalKey, Payload: []byte{5, 0, 0, 0}},
		{At: at, Node: "db1:/pg", Cut: true},
		{At: at, Node: "db1:/pg", Preserved: true, Snapshot: &tde.Snapshot{
			Flavor: tde.Percona, Version: tde.Version2, Principals: []tde.PrincipalInfo{info},
			Providers: []tde.ProviderFile{{Scope: tde.ServerScope, Records: []byte("1160 bytes")}},
			Entries:   2, Superseded: 1, Ranges: []tde.KeyRange{{Entry: 1, Type: tde.Encrypted, Start: at, Bits: 128}},
			Unreadable: []string{"5_keys: damaged"},
		}},
		{At: at, Node: "db1", Source: &tde.Source{Flavor: tde.Percona, Version: tde.Version2, Principal: "k1", Provider: "local", Type: tde.FileProvider}},
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
