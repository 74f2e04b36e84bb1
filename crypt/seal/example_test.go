package seal_test

import (
	"bytes"
	"fmt"
	"io"

	"walarchive/crypt"
	"walarchive/crypt/seal"
)

func Example() {
	key, _ := crypt.NewKey(bytes.Repeat([]byte{7}, 32)) // the epoch's seal key
	wrap := crypt.Wrap{Kind: "age", Provider: "escrow", Key: "offline", Box: []byte("the epoch key, wrapped")}
	options := seal.Options{
		Kind: "history", Name: "wal/1/00000002/00000002.history",
		Archive: crypt.ID{1}, Epoch: crypt.ID{2}, Wraps: []crypt.Wrap{wrap},
	}
	sealed, err := seal.Seal(nil, []byte("1\t0/3000000\tbefore upgrade\n"), key, []byte("some facts"), options)
	if err != nil {
		fmt.Println(err)
		return
	}

	want := seal.Expect{Kind: options.Kind, Name: options.Name, Archive: options.Archive}
	findKey := func(h *seal.Header) (crypt.Key, error) { return key, nil }
	r, err := seal.Open(bytes.NewReader(sealed), want, findKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := io.ReadAll(r)
	fmt.Printf("%s: %s%v\n", r.Facts(), plain, err)

	sealed[len(sealed)-1] ^= 1
	if r, err = seal.Open(bytes.NewReader(sealed), want, findKey); err == nil {
		_, err = io.ReadAll(r)
	}
	fmt.Println(err)
	// Output:
	// some facts: 1	0/3000000	before upgrade
	// <nil>
	// sealed object is corrupt: frame 2 does not verify
}
