package storagetest

import (
	"slices"
	"strings"
	"testing"

	"walarchive/storage"
)

// ordered are names in byte order, with directories where careless sorting
// would put them elsewhere.
var ordered = []string{
	"A", "Z/z", "a-/x", "a-b", "a.b", "a.b.c/d", "a/0", "a/1/2", "a/1/3", "a/10", "a/2",
	"a/b-c", "a/b.c", "a/b/c", "a/b0", "a0", "a_b", "b", "wal/1/00000001/a", "wal/1/00000002/a", "wal/2/00000001/a",
}

// fill puts the ordered names, in another order.
func fill(t *testing.T, b storage.Bucket) []string {
	t.Helper()
	for _, name := range slices.Backward(ordered) {
		put(t, b, name, name)
	}
	return ordered
}

func testListOrder(t *testing.T, b storage.Bucket) {
	wantNames(t, "an empty bucket", list(t, b, "", ""), nil)
	names := fill(t, b)
	wantNames(t, "list", list(t, b, "", ""), names)
	for info, err := range b.List(t.Context(), "", "") {
		if err != nil || info.Size != int64(len(info.Name)) {
			t.Errorf("list: got %+v, %v; want size %d", info, err, len(info.Name))
		}
	}
}

func testListPrefix(t *testing.T, b storage.Bucket) {
	names := fill(t, b)
	for _, prefix := range []string{
		"a", "a/", "a/1", "a/1/", "a/1/2", "a/1/2/", "a-", "a.b", "a.b.", "wal/", "wal", "wal/1/0000000", "zz",
		"nothing/here/", "/", "..", "../", "./", "a//", "a/../b", "~", "a b/", "Z/z",
	} {
		want := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !strings.HasPrefix(s, prefix) })
		wantNames(t, "list "+prefix, list(t, b, prefix, ""), want)
	}
}

func testListResume(t *testing.T, b storage.Bucket) {
	names := fill(t, b)
	afters := slices.Concat(names, []string{"0", "a", "a/", "a/1", "a/1/", "a/1/2x", "a/9", "a/~", "wal/1/", "zz", "~"})
	for _, prefix := range []string{"", "a/", "a/1", "wal/1/"} {
		for _, after := range afters {
			want := slices.DeleteFunc(slices.Clone(names), func(s string) bool {
				return !strings.HasPrefix(s, prefix) || s <= after
			})
			wantNames(t, "list "+prefix+" after "+after, list(t, b, prefix, after), want)
		}
	}
}

func testListBreak(t *testing.T, b storage.Bucket) {
	names := fill(t, b)
	for n := 1; n < len(names); n += 5 {
		var got []string
		for info, err := range b.List(t.Context(), "", "") {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, info.Name); len(got) == n {
				break
			}
		}
		wantNames(t, "a list that is broken off", got, names[:n])
	}
}
