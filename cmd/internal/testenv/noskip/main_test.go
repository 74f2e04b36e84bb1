package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	const pass = `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: chatter\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
`
	const end = `{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	tests := []struct{ name, in, out, err string }{
		{"passed", pass + end, "ok  \tp\t0.1s\n1 tests passed, 0 skipped\n", ""},
		{"no test files", pass + end + `{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`, "ok  \tp\t0.1s\n?   \tq\t[no test files]\n1 tests passed, 0 skipped\n", ""},
		{"skipped", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: no server\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
` + end, "    b_test.go:1: no server\nok  \tp\t0.1s\n1 tests passed, 1 skipped\n", "p TestB"},
		{"failed", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "--- FAIL: TestB (0.00s)\nFAIL\tp\t0.1s\n1 tests passed, 0 skipped\n", "tests failed"},
		{"crashed", pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"panic: broken\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, "panic: broken\nFAIL\tp\t0.1s\n1 tests passed, 0 skipped\n", "tests failed"},
		{"does not build", `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
`, "p.go:1: undefined: x\nFAIL\tp [build failed]\n0 tests passed, 0 skipped\n", "tests failed"},
		{"nothing", "", "0 tests passed, 0 skipped\n", "no test ran"},
		{"not JSON", "hello\n" + pass + end, "hello\nok  \tp\t0.1s\n1 tests passed, 0 skipped\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.NewReader(tt.in), &out)
			if out.String() != tt.out {
				t.Errorf("printed %q\nwant    %q", out.String(), tt.out)
			}
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("failed: %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
		})
	}
}
