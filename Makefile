# The commands of CONTRIBUTING.md. CGO_ENABLED=0 everywhere but in race: that is how the program is built and tested.
export CGO_ENABLED = 0

GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: build test vet staticcheck lint fmt fuzz race check e2e e2e-smoke e2e-arm bench-quick release release-check clean

build:
	go build -o ankisyncd .

test:
	go test ./...

vet:
	go vet ./...

staticcheck:
	go run $(STATICCHECK) ./...

lint:
	go run $(GOLANGCI_LINT) run ./...

fmt:
	go run $(GOLANGCI_LINT) fmt ./...

# Every fuzz target for FUZZTIME each, little of it spent on making what was found smaller, also after one that found something.
# Before Go 1.27 a target that found nothing may end with "context deadline exceeded" as its time is up (go.dev/issue/75804).
FUZZTIME ?= 20s
fuzz:
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; trap 'exit 130' INT TERM; bad=; \
	for p in $$(go list ./...); do all=$$(go test -list '^Fuzz' $$p); \
	  for f in $$(echo "$$all" | grep '^Fuzz' || true); do \
	    go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p 2>&1 | tee "$$log"; \
	    grep -q '^ok' "$$log" || \
	      { grep -qx '    context deadline exceeded' "$$log" && ! grep -q 'Failing input' "$$log" && echo "$$f: its time was up, nothing found"; } || \
	      bad="$$bad $$p:$$f"; done; done; \
	[ -z "$$bad" ] || { echo "FAILED:$$bad"; exit 1; }

# Needs cgo and a C compiler; slow to build the first time.
race:
	CGO_ENABLED=1 go test -race ./...

# lint is apart: it also lists what is a matter of taste, and much of that is left as it is.
check: vet test staticcheck
	gofmt -l $$(git ls-files '*.go') | (! grep .)
	go mod tidy -diff

e2e:
	e2e/run

e2e-smoke:
	e2e/run -m smoke

e2e-arm:
	e2e/arm

bench-quick: build
	cd bench && GO_SERVER=$(CURDIR)/ankisyncd go run . -quick

release:
	deploy/release

# What README.md promises and neither the tests nor e2e/run look at.
release-check:
	@rc=0; for c in e2e/legacy/run e2e/proxy/run deploy/check; do echo "=== $$c"; $$c || rc=1; done; exit $$rc

clean:
	rm -rf ankisyncd dist
