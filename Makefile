# make build   the two programs, static, into bin/
# make demo    what they do, shown on recorded WAL; needs nothing but Go
# make test    everything that must hold; installs PostgreSQL if it is missing
# make lint    gofmt, vet, staticcheck
# make test-cosmian   the KMIP driver against the real Cosmian KMS; see the target
# make fuzz    every fuzz target, FUZZTIME each
# make bench   every benchmark; then, beside pgBackRest, the push and restore of WAL
# make cover   coverage of all tests, by function

SHELL = /bin/bash
.SHELLFLAGS = -o pipefail -ec

# The first keeps modules out that only tests of dependencies need, the second
# the manual page writer of the CLI library.
TAGS     = disable_grpc_modules,urfave_cli_no_docs
VERSION  = $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X walarchive/cmd/internal/command.version=$(VERSION)
FUZZTIME = 3s
GO       = go

.PHONY: build demo test test-cosmian lint fuzz bench cover install clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o bin/ ./cmd/walarchive ./cmd/walrestore

demo: build
	$(GO) run ./cmd/internal/demo -bin bin

# The run with the tag integration has all other tests in it too, but for what
# goes through gigabytes, which the race detector makes ten times slower.
test: lint install
	$(GO) test -race -tags $(TAGS),integration -timeout 20m -json ./... | $(GO) run ./cmd/internal/testenv/noskip
	$(GO) test -tags $(TAGS),integration -run 'TestLeaks' -json ./archive/queue | $(GO) run ./cmd/internal/testenv/noskip
	$(MAKE) --no-print-directory fuzz

# Not part of test: the server is built from its crate, for which it takes a Rust
# of 1.87 or later and a quarter of an hour, and it runs only where OpenSSL has a
# FIPS provider. Where that is not in its usual place, OPENSSL_MODULES and
# OPENSSL_CONF say so.
test-cosmian:
	@cmd/internal/testenv/install.sh cosmian
	$(GO) test -tags cosmian -count 1 -run TestRealCosmian ./keys/kmip

# govulncheck is run where it is installed: it needs its vulnerability database
# from the network, so it is no tool of this module.
lint:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt -w $$files"; exit 1; }
	$(GO) vet -tags $(TAGS),integration ./...
	$(GO) tool staticcheck -tags $(TAGS),integration ./...
	@if command -v govulncheck >/dev/null; then govulncheck ./...; fi

# go test fuzzes one target at a time; two of them share a small machine well.
fuzz:
	@grep -rEo --include='*_test.go' '^func Fuzz\w+' . | sed 's|/[^/]*:func | |' | sort | xargs -P 2 -L 1 sh -c '\
		echo "fuzz $$0 $$1"; out=$$(mktemp); \
		$(GO) test -run "^$$" -fuzz "^$$1\$$" -fuzztime $(FUZZTIME) -parallel 1 "$$0" </dev/null >"$$out" 2>&1 || { cat "$$out"; rm "$$out"; exit 255; }; \
		rm "$$out"'

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
	@cmd/internal/testenv/install.sh bench
	$(GO) test -tags $(TAGS),integration -run '^$$' -bench Peers -benchtime 5x -timeout 60m ./cmd/internal/peerbench

cover:
	$(GO) test -coverpkg ./... -coverprofile cover.out ./...
	$(GO) tool cover -func cover.out

install:
	@cmd/internal/testenv/install.sh

clean:
	rm -rf bin cover.out fuzz.out
