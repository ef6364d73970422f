# Everything that is done to this project, by people and by CI alike.

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
BENCH    ?=
SCHEMAS  ?=

# The version is VERSION: git need not be asked for it a second time.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

.DEFAULT_GOAL := help
.PHONY: help build image run demo rehearse deps test check long siege money schemas lint pages fuzz mutate bench ci clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 14

build: ## build bin/flashgate, the gate, and bin/flashgate-loadtest, to rehearse with
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/flashgate .
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/flashgate-loadtest ./loadtest

image: ## build the container images flashgate:VERSION and flashgate-loadtest:VERSION
	docker build --tag flashgate:$(VERSION) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) .
	docker build --target loadtest --tag flashgate-loadtest:$(VERSION) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) .

run: ## serve a demo sale on :8080, without Redis
	go run . serve

demo: ## play a launch: 20,000 buyers for 500 tickets, three gates, a simulated PortOne (a minute)
	go run ./loadtest demo

rehearse: build ## play a launch behind HAProxy, with Redis' Sentinels and three gates, without containers (a minute)
	deploy/rehearse.sh

deps: ## install what the tests need and is missing (Debian, Ubuntu)
	@.ci/deps
	@.ci/npm

# What holds a gate to promises of seconds, or loads the machine for long, runs one package at a time; the others run two
# at a time before. Of a package four tests run at once, for they wait more than they compute. Without GORACE each package
# ends a second late.
HEAVY := ./deploy ./gate/cli ./gate/settle ./gate/shop ./gate/web ./loadtest ./loadtest/bench ./loadtest/launch
test: export GORACE = atexit_sleep_ms=10
test: check ## run every test, with the race detector
	go test -race -p 2 -parallel 4 -timeout 15m $$(go list ./... | grep -vxF "$$(go list $(HEAVY))")
	go test -race -p 1 -parallel 4 -timeout 15m $(HEAVY)

# A module of its own, for it needs the parsers of Docker, Compose and Kubernetes. They compile for minutes, once.
check: deps ## hold the Dockerfile and the files in deploy/ against the parsers of those who read them
	cd deploy/check && go test -timeout 15m .

long: deps ## run tests at the times of a real launch: three in ten cards declined, PortOne away for a minute (five minutes)
	go test -timeout 15m -v -run 'TestDeclinedUnits|TestNothingLeaks' ./gate/cli -long

siege: deps ## settle a launch's first minute with all that can hold it up: 25,000 holds, forged ones, slow refunds, webhooks (twenty minutes)
	go test -timeout 60m -v -run 'TestALaunchUnderSiege' ./gate/settle -long

money: deps ## let everything go wrong with the payments and refunds of 2,000 orders, and count the money and the cancel calls (twenty minutes)
	go test -timeout 60m -v -run 'TestTheMoneyOfTwoThousandOrders' ./gate/cli -long

schemas: ## hold the gate's calls and the simulator's answers against PortOne's own OpenAPI documents (SCHEMAS=DIR with v1.json and v2.json)
	@for file in v1.json v2.json; do test -n "$(SCHEMAS)" -a -r "$(SCHEMAS)/$$file" || { \
		echo "no $(or $(SCHEMAS),DIR)/$$file: give the folder with PortOne's v1.json (Swagger 2) and v2.json (OpenAPI 3) as SCHEMAS=DIR"; exit 1; }; done
	go test -count=1 -v -timeout 15m -run Schemas ./loadtest/portonesim ./gate/cli -args -schemas "$(abspath $(SCHEMAS))"

lint: ## check format, width of lines, vet, staticcheck, which package imports which, and what constructors take
	@files=$$(go tool gofumpt -l .) && if [ -n "$$files" ]; then \
		echo "not formatted, run 'go tool gofumpt -w .':"; echo "$$files"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	cd deploy/check && go vet . && $$(cd ../.. && go tool -n staticcheck) .
	go test -count=1 arrows_test.go lines_test.go deps_test.go

pages: export WRITE_PAGES = 1
pages: ## write the tables of docs/ that are generated from the code
	go test -count=1 -run ThePageHas ./gate/audit ./gate/cli ./loadtest

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@.ci/fuzz $(FUZZTIME)

mutate: deps ## take out each check that guards the gate, and see a test fail (an hour)
	go run ./loadtest/mutate

bench: ## measure the gate beside a bare handler and the usual peer into loadtest/RESULTS.md (a quarter of an hour; BENCH=--help)
	go run ./loadtest bench $(BENCH)

ci: export REQUIRE_SERVERS = 1
ci: lint test ## lint and test, and let nothing be skipped

clean: ## remove what was built
	rm -rf bin
