# Every target works in a fresh clone. The only tools needed are Go and make.
GO       ?= go
FUZZTIME ?= 30s
# Folder with corpora/ and suites/; tests that need it skip where it is absent.
SHARED   ?= $(or $(SLUICE_SHARED),../shared)

# Everything is tested without C code, as it is shipped, and packages are compiled once
# for all targets but race.
export CGO_ENABLED = 0

.PHONY: build run test race lint fuzz bench bench-deps bench-peers deps generate model scam-model tidy clean

build: ## bin/sluice: one static binary
	$(GO) build -trimpath -o bin/sluice ./cmd/sluice

run: build ## the gateway with its defaults: SMTP on 127.0.0.1:2525, console on 127.0.0.1:8025
	./bin/sluice serve

deps: ## the Debian packages that tests use (root only; tests skip without them)
	scripts/install-test-deps

# -timeout: a busy machine has its time.
test: deps
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...

race: ## needs a C compiler; the long tests run without it, in test
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./...

lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

fuzz: ## every fuzz target, FUZZTIME each
	GO="$(GO)" FUZZTIME=$(FUZZTIME) scripts/fuzz

bench: ## Go benchmarks of every package
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-deps: ## the peers that are measured beside us
	scripts/install-test-deps --bench

bench-peers: ## other scanners beside us on the same mail (root; PEERS="-n 100 -work DIR"); skips what is absent
	$(GO) run ./eval/peers -shared $(SHARED) $(PEERS)

generate:
	$(GO) generate ./...

model: ## the shipped text model, from corpora whose terms allow it
	$(GO) run ./eval/textmodel -shared $(SHARED) -out learn/text/model.bin

scam-model: ## the shipped model of what frauds ask for, from our own cases and corpora whose terms allow it
	$(GO) run ./eval/scam -shared $(SHARED) -fit

tidy:
	$(GO) mod tidy

clean:
	rm -rf bin
