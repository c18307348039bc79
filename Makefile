# The only doors. `make` alone says what there is.
GO      ?= go
MODULES := shared functions/chat functions/materialize functions/trace cmd/aguante test
BIN     := $(CURDIR)/bin
DATA    ?=

.PHONY: help run test e2e manifests accounting drills drills-full faults faults-full lint bench bench-load bench-held bench-gateway bench-recall gen build ko images

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## chat with it: everything on this machine, nothing to install but Go
	@echo "building (the first time takes a few minutes) …"
	@$(GO) build -o $(BIN)/aguante ./cmd/aguante && exec $(BIN)/aguante up

# Whole systems are broken one after the other, and nothing else is tested beside them: they are held to time limits.
test: SYSTEMS = $(filter $(addprefix %/test/,accounting drills faults integration),$(shell $(GO) list work))
test: PARTS = $(filter-out $(SYSTEMS),$(shell $(GO) list work))
test: ## every test, with real Redis, Neo4j and Chromium (installed when missing, as root)
	@$(GO) run ./test/stack/with $(GO) test -race -timeout 20m $(PARTS)
	@$(GO) run ./test/stack/with $(GO) test -race -timeout 20m -p 1 $(SYSTEMS)
	@for m in $(MODULES); do (cd $$m && GOWORK=off $(GO) mod tidy -diff && GOWORK=off $(GO) build ./...) || exit 1; done

e2e: ## config/knative on the Kubernetes of KUBECONFIG, or on one of its own (on Debian, as root)
ifdef KUBECONFIG
e2e: ko
	@AGUANTE_E2E=1 $(GO) test -count=1 -timeout 30m -v ./test/e2e
else
	@cd test/e2e/rig && GOWORK=off $(GO) build -o $(BIN)/rig . && $(BIN)/rig with $(MAKE) -C $(CURDIR) e2e && GOWORK=off $(GO) test -count=1 -timeout 30m -v .
endif

manifests: ## hold config/knative, or an overlay of your own, against Knative's types: make manifests OVERLAY=folder
	@$(GO) test -count=1 ./test/manifests $(if $(OVERLAY),-run TestEveryOverlay -folder $(abspath $(OVERLAY)))

drills: ## the eight drills against real Redis and Neo4j, in seconds (a part of make test)
	@$(GO) run ./test/stack/with $(GO) test -count=1 -timeout 20m -v ./test/drills

drills-full: ## the same with the durations of the production figures, in a quarter of an hour
	@$(GO) run ./test/stack/with $(GO) test -count=1 -timeout 60m -v ./test/drills -full

faults: ## every dependency broken in every way, in minutes (a part of make test); writes docs/reliability.md
	@$(GO) run ./test/stack/with $(GO) test -count=1 -timeout 20m ./test/faults -update

faults-full: ## the same with ten times the turns, judged without allowance for a busy machine
	@$(GO) run ./test/stack/with $(GO) test -count=1 -timeout 60m ./test/faults -update -full

accounting: ## break every part at random and count turns: make accounting DURATION=1h
	@$(GO) test -count=1 -timeout 180m -v ./test/accounting -duration $(or $(DURATION),10m)

lint: ## style, import rules, known vulnerabilities
	@GOWORK=off GOBIN=$(BIN) $(GO) -C tools install tool
	@for m in $(MODULES); do (cd $$m && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) || exit 1; done
	@cd test/e2e/rig && GOWORK=off $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml . ./edge ./pause
	@for m in $(MODULES); do (cd $$m && $(BIN)/govulncheck ./...) || exit 1; done

bench: ## benchmarks of every package, with real Redis and Neo4j
	@$(GO) run ./test/stack/with $(GO) test -run '^$$' -bench . -benchmem work

bench-load: ## what aguante up takes and holds at 200 requests a second
	@$(GO) run ./test/load

bench-held: ## what callers notice on a game day at 100 turns a second, and in a flood of ten times the capacity
	@$(GO) run ./test/load gameday
	@$(GO) run ./test/load flood

bench-gateway: ## what the OpenAI-compatible route costs beside a bare proxy and an npm gateway
	@$(GO) run ./test/gateway

bench-recall: ## how well questions find the turns that answer them: make bench-recall DATA=folder
	@test -n "$(DATA)" || { echo "say where the conversations are: make bench-recall DATA=folder"; exit 2; }
	@$(GO) run ./test/stack/with $(GO) run ./test/recall $(DATA)

gen: ## generated files: configuration tables, the embedded copy of config/knative
	@$(GO) generate ./cmd/aguante/...
	@for f in chat materialize trace; do $(GO) test ./functions/$$f -run TestTheConfigReferenceIsCurrent -update || exit 1; done

build: ## the four binaries, into bin/
	@for f in chat materialize trace; do CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $(BIN)/ ./functions/$$f/cmd/$$f || exit 1; done
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $(BIN)/ ./cmd/aguante

ko:
	@GOWORK=off GOBIN=$(BIN) $(GO) -C tools install github.com/google/ko

images: ko ## the functions' images, by ko, to KO_DOCKER_REPO
	@for f in chat materialize trace; do (cd functions/$$f && KO_CONFIG_PATH=$(CURDIR) $(BIN)/ko build $(KO_FLAGS) ./cmd/$$f) || exit 1; done
