package seal

import (
	"bytes"
	"crypto/fips140"
	cryptorand "crypto/rand"
	"io"
	"os"
	"os/exec"
	"testing"

	"walarchive/crypt"
)

// TestApprovedModes runs TestApprovedOnly again in processes whose
// cryptographic module is in FIPS 140-3 mode, at last in the one that refuses
// everything that is not approved.
func TestApprovedModes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"on", "only"} {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestApprovedOnly$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("approved mode: true")) {
			t.Errorf("fips140=%s: %v\n%s", mode, err, out)
		}
	}
}

// TestApprovedOnly does all that suite 1 and local wraps can do, from a
// principal key to the plaintext.
func TestApprovedOnly(t *testing.T) {
	t.Logf("approved mode: %v", fips140.Enabled())
	principal, epochKey := testKey(t, 1), testKey(t, 2)
	o := testOptions(LZ4, testFrame)
	o.Rand = nil
	wrap, err := crypt.WrapKey(cryptorand.Reader, principal, epochKey,
		crypt.Binding{Archive: o.Archive, Epoch: o.Epoch, Provider: "local", Key: "wal-2026"})
	if err != nil {
		t.Fatal(err)
	}
	o.Wraps = []crypt.Wrap{wrap}
	const purpose = "the seal key of this test"
	plain := append(text(5*testFrame), noise(testFrame+1)...)
	sealed, err := Seal(nil, plain, epochKey.Derive(nil, purpose), testFacts, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(bytes.NewReader(sealed), o.expect(), func(h *Header) (crypt.Key, error) {
		k, err := crypt.UnwrapKey(principal, h.Wraps[0], h.Archive, h.Epoch)
		return k.Derive(nil, purpose), err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened %d bytes, %v", len(got), err)
	}
}
