# What a contributor does here; `make help` lists it. Everything may be run again
# at any time and is quick when there is nothing to do.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
# Where the public measuring sets lie; without it the benches that need none are run.
DATA     ?= $(wildcard ../shared/data)

BIN      := bin/atrium
LINTER   := .cache/bin/golangci-lint
CONSOLE  := internal/console/dist/index.html
MODULES  := web/node_modules/.package-lock.json
WEB_SRC  := $(shell git ls-files -co --exclude-standard -- web ':!web/e2e' 2>/dev/null)
# No cgo, so that the binary runs on any Linux; the race detector is the one exception.
GO_BUILD := CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: help run build test planted lint fmt generate verify bench conformance fuzz dev deps deps-test clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## install what is missing, build, start Atrium and print how to sign in
	@exec $(BIN) serve

build: $(CONSOLE) ## build bin/atrium with the web console inside
	@$(GO_BUILD) -o $(BIN) ./cmd/atrium

test: deps-test build ## every test: Go on both databases, web, browser
	@scripts/test.sh

planted: deps-test ## put known bugs in, one after the other, and see that the tests find each
	@scripts/planted.sh

lint: $(LINTER) $(MODULES) ## golangci-lint and eslint
	@$(LINTER) run ./...
	@npm --prefix web run --silent lint

fmt: ## format Go and web sources
	@git ls-files -co --exclude-standard -- '*.go' | xargs gofmt -w
	@npm --prefix web run --silent --if-present format

generate: $(MODULES) ## write openapi.json and the console's client again
	@scripts/generate.sh

verify: $(MODULES) ## generated files fresh, formatted, vetted, modules tidy
	@scripts/verify.sh

bench: deps-test build ## measure; DATA=folder of the public sets, ONLY=parts, such as permission,sign-in
	@go run ./internal/db/dbtest/cluster -fresh BENCH_POSTGRES_1,BENCH_POSTGRES_2 -- $(BIN) bench $(if $(DATA),--data $(DATA)) $(if $(ONLY),--only $(ONLY))

conformance: build ## schemathesis with all its checks against the running binary
	@scripts/conformance.sh

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz.sh $(FUZZTIME)

dev: deps $(MODULES) ## server and console that rebuild as you edit
	@scripts/dev.sh

deps: ## install what building needs
	@scripts/deps.sh build

deps-test: deps ## install what the tests need
	@scripts/deps.sh test

clean: ## remove what was built
	@rm -rf bin .cache web/node_modules
	@git clean -fdqX internal/console/dist

$(MODULES): web/package.json web/package-lock.json | deps
	@npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE): $(WEB_SRC) $(MODULES)
	@npm --prefix web run --silent build
	@touch $@

$(LINTER): tools/go.mod tools/go.sum
	@echo "building golangci-lint (once)"
	@go -C tools build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@
