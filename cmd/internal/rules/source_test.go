package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// edges are the functions by which code touches the process it runs in. Only
// cmd may.
var edges = map[string][]string{
	"os":      {"Exit", "Getenv", "LookupEnv", "Environ", "Args", "Stdin", "Stdout", "Stderr", "Setenv"},
	"log":     {"Fatal", "Fatalf", "Fatalln", "Print", "Printf", "Println", "Panic", "Panicf"},
	"slog":    {"Info", "Warn", "Error", "Debug", "Default", "SetDefault"},
	"fmt":     {"Print", "Printf", "Println"},
	"signal":  {"Notify", "Ignore", "NotifyContext"},
	"syscall": {"Exit", "Getenv"},
}

// TestNothingHidden: no package of ours does anything by being imported, and
// only cmd touches the process.
func TestNothingHidden(t *testing.T) {
	for _, p := range packages(t) {
		inCmd := matches("cmd/...", p.name()) || anyMatches(forTests, p.name())
		for _, f := range parseFiles(t, p) {
			if init := findInit(f); init != nil {
				t.Errorf("%s has func init", p.name())
			}
			if inCmd {
				continue
			}
			for _, i := range f.Imports {
				if i.Path.Value == `"flag"` {
					t.Errorf("%s imports flag", p.name())
				}
			}
			for _, use := range findEdges(f) {
				t.Errorf("%s uses %s", p.name(), use)
			}
		}
	}
}

func parseFiles(t *testing.T, p listed) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func findInit(f *ast.File) *ast.FuncDecl {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			return fn
		}
	}
	return nil
}

// findEdges lists the uses of edges in f. It goes by the name of the package,
// which nobody here renames.
func findEdges(f *ast.File) []string {
	var uses []string
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && slices.Contains(edges[x.Name], s.Sel.Name) {
			uses = append(uses, x.Name+"."+s.Sel.Name)
		}
		return true
	})
	return uses
}

func TestFindEdges(t *testing.T) {
	const src = `package p
import "os"
func init() { os.Exit(1); _ = os.Getenv("A"); _, _ = os.Open("b") }`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if findInit(f) == nil {
		t.Error("func init not found")
	}
	if got := strings.Join(findEdges(f), " "); got != "os.Exit os.Getenv" {
		t.Errorf("found %q", got)
	}
}

// TestCrashGuardComesFirst: what breaks in walrestore before AbortOnCrash ends
// with Go's exit code 2, which PostgreSQL reads as the end of the WAL.
func TestCrashGuardComesFirst(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../walrestore/main.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "main" {
			continue
		}
		if s, ok := fn.Body.List[0].(*ast.ExprStmt); ok {
			if c, ok := s.X.(*ast.CallExpr); ok {
				if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "AbortOnCrash" {
					return
				}
			}
		}
	}
	t.Error("the first statement of walrestore's main is not command.AbortOnCrash()")
}
