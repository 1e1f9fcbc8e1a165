# Two commands matter: `make up` runs Comptoir on this machine, `make test` passes everything.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3,$(shell $(name) -c 'import sys; sys.exit(not (3,11) <= sys.version_info < (3,13))' 2>/dev/null && echo $(name))))
# Processes that tests run in side by side; 0 is one after another.
WORKERS ?= 3
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile
SPREAD = $(MAKE) --no-print-directory --keep-going --output-sync=target --jobs=$(or $(filter-out 0,$(WORKERS)),1)
# Folders of unit tests, each run by a process that collects nothing else; the longest, with all others, begins.
UNITS := services/edge services/router services/generator services/emitter deploy
UNIT_RUNS := units/others $(UNITS:%=units/%)
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin
# What failed in each run of `make test`, for the second try.
FAILURES := .pytest_cache/failures
# Environments beside .venv, one for each group of clients of others that do not agree on a version.
CLIENTS := agents instructor llama-index
# What PyTorch's wheel asks for beside what it loads, all for GPUs: not of the environments without one (ADR 69).
GPU_ONLY := cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cusolver nvidia-nvtx triton
# The first is what is tested, and its versions are those of all others wherever they can be.
EXTRAS := dev edge router emitter generator-simulated generator-openai-server generator-cpu usage console cli local images generator-cuda
CODE := services pipelines deploy tests protos/client protos/generate.py docs

export UV_HTTP_TIMEOUT ?= 300
export UV_PYTHON_DOWNLOADS := never
# Without bytecode on disk every start would compile the engine's modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup up test check units lint types imports schemas bench fuzz test-clients test-cluster test-images test-image-vllm test-real-model built-images images collector kube protos dashboards docs lock release clean
.PHONY: $(UNIT_RUNS)

help: ## Shows this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/.installed node_modules/.installed $(CLIENTS:%=.clients/%/.installed) ## Installs the locked environment into .venv
	@$(BIN)/python -m tests.debian_programs

up: .venv/.installed ## Starts everything on this machine until Ctrl-C; ARGS="--port 9000" for more
	@$(BIN)/comptoir up $(ARGS)

# The real engine forks, which a process must not that spoke gRPC: its tests have one of their own, beside.
# Kubernetes and images are built beside all that needs neither, which is what does not run alone.
test: setup ## Sets up and passes everything; real engine, Kafka and store included
	@{ for part in collector.build cluster.kube.build images.built; do nice $(BIN)/python -m tests.$$part || :; done; } >/dev/null 2>&1 &
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory collector
	@mkdir -p $(FAILURES); rm -f $(FAILURES)/*; said=$$(mktemp); trap 'kill $$engine 2>/dev/null || :; rm -f $$said' EXIT; \
	vllm=0; beside=0; built=0; alone=0; \
	$(BIN)/pytest -m "vllm and not real" --note-failures $(FAILURES)/vllm $(ARGS) >$$said 2>&1 & engine=$$!; \
	$(if $(filter 0,$(WORKERS)),wait $$engine || vllm=$$?;) \
	$(BIN)/pytest -m "system and not alone" --note-failures $(FAILURES)/beside $(SIDE_BY_SIDE) $(ARGS) || beside=$$?; \
	$(if $(filter 0,$(WORKERS)),,wait $$engine || vllm=$$?;) \
	engine=; cat $$said; \
	{ $(BIN)/python -m tests.cluster.kube.build && $(BIN)/python -m tests.images.built >/dev/null; } || built=$$?; \
	$(BIN)/pytest -m "alone and not vllm and not large" --note-failures $(FAILURES)/alone $(ARGS) || alone=$$?; \
	$(BIN)/python -m tests.second_try $(foreach run,vllm beside alone,$(FAILURES)/$(run)=$$$(run)) || exit; \
	exit $$built

test-cluster: setup kube ## Renders the chart, and installs it on a real API server; part of `make test`
	$(BIN)/pytest -m cluster tests/cluster $(ARGS)

test-images: setup built-images ## Builds the images and runs them closed, against each other, as root; part of `make test`
	$(BIN)/pytest -m "images and not large" tests/images $(ARGS)

# Too long and too large for each run of the tests: 5 GB of libraries, four times while it is built.
test-image-vllm: setup built-images ## The same for the image with vLLM, 25 GB while it is built; no part of `make test`
	@$(BIN)/python -m tests.images.built generator-cpu >/dev/null
	$(BIN)/pytest -m large tests/images $(ARGS)

# Four minutes of processor time, beside what `make test` runs on it.
test-real-model: setup ## The contract of engines on a real model, fetched once; no part of `make test`
	$(BIN)/pytest -m real tests/services/generator $(ARGS)

# What tests run, once for each state of what goes into it; kept below the user's cache.
built-images: .venv/.installed
	@$(BIN)/python -m tests.images.built >/dev/null

images: .venv/.installed ## Builds the images with buildah, SBOMs beside them in dist/images; ARGS=--help
	@$(BIN)/python -m deploy.images.build $(ARGS)

# OpenTelemetry's Collector from its Go modules: three and a half minutes of processor time, once.
collector: .venv/.installed
	@$(BIN)/python -m tests.collector.build >/dev/null

# A small Kubernetes from its Go modules: 13 minutes of processor time, once.
kube: .venv/.installed
	@$(BIN)/python -m tests.cluster.kube.build

test-clients: setup ## Runs the official clients and those of others against a whole stack; part of `make test`
	$(BIN)/pytest -m system tests/clients $(ARGS)

check: .venv/.installed ## The fast part: format, lint, types, contracts, schemas, unit tests
	@echo "check: side by side, and each says at its end what it found"
	@$(SPREAD) units/others types $(UNIT_RUNS) lint imports schemas

units: .venv/.installed
	@$(SPREAD) $(UNIT_RUNS)

$(UNIT_RUNS): .venv/.installed node_modules/.installed-for-check
	$(BIN)/pytest -m "not system and not vllm" -q -p no:cacheprovider $(PATHS)

units/%: PATHS = tests/$(@:units/%=%)
units/others: PATHS = tests $(UNITS:%=--ignore=tests/%)

lint: .venv/.installed
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

types: .venv/.installed
	$(BIN)/mypy $(CODE)

imports: .venv/.installed
	$(BIN)/lint-imports

schemas: .venv/.installed node_modules/.installed-for-check
	node_modules/@bufbuild/buf-linux-x64/bin/buf lint
	$(BIN)/python protos/generate.py --check

bench: setup ## Measures Comptoir beside vLLM's server, its engine and LiteLLM; ARGS=--quick to try, --help
	@$(BIN)/python -m tests.bench.beside $(ARGS)

fuzz: .venv/.installed ## Fuzzes parsers and writers by coverage, for ten minutes; ARGS="--seconds 60", --help
	@$(BIN)/python -m tests.fuzz $(ARGS)

protos: .venv/.installed ## Regenerates the committed stubs after a change of a schema
	$(BIN)/python protos/generate.py

dashboards: .venv/.installed ## Writes Grafana's dashboards from the registry of metrics
	$(BIN)/python -m deploy.dashboards.generate

docs: .venv/.installed ## Writes the parts of the pages that follow from the code
	$(BIN)/python docs/generate.py

lock: $(UV) ## Resolves every extra into requirements/; ARGS=--upgrade for newer versions
	for extra in $(EXTRAS); do \
	  if test $$extra = dev; then cp requirements/dev.txt .tools/lock.txt; \
	  else awk '/^[a-z0-9]/ { split($$1, name, "=="); is_left_out = name[1] in seen; if (FNR == NR) seen[name[1]] } \
	    FNR == NR || !is_left_out' requirements/dev.txt $(if $(ARGS),,requirements/$$extra.txt) >.tools/lock.txt; fi; \
	  $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-package comptoir-client \
	    --no-header --python-version 3.11 \
	    $$(case $$extra in generator-cpu|dev) printf -- '--no-emit-package %s ' $(GPU_ONLY);; esac) \
	    $$(case $$extra in dev) echo $(ARGS);; esac) --extra $$extra --output-file .tools/lock.txt pyproject.toml; \
	  mv .tools/lock.txt requirements/$$extra.txt; done
	for group in $(CLIENTS); do \
	  $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    $(ARGS) --group clients-$$group --output-file requirements/clients-$$group.txt; done

release: .venv/.installed ## Keeps what this tree ships, for the tests of upgrades from it
	@$(BIN)/python -m tests.upgrade.keep

clean: ## Removes what setup installed
	rm -rf .venv .tools .clients node_modules

$(UV):
	@test -n "$(PYTHON)" || { echo "Comptoir needs Python 3.11 or 3.12 as python3.12, python3.11 or python3 on the PATH."; exit 1; }
	@echo "install: uv $(UV_VERSION) into .tools"
	@$(PYTHON) -m venv --without-pip .tools
	@pip="$(PYTHON) -m pip --python .tools/bin/python"; \
	if ! $$pip --version >/dev/null 2>&1; then \
	  pip=".tools/bin/python -m pip"; \
	  .tools/bin/python -m ensurepip >/dev/null 2>&1 \
	    || { echo "Python has neither pip nor ensurepip; on Debian: apt-get install python3-venv."; exit 1; }; \
	fi; \
	$$pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: requirements/dev.txt pyproject.toml protos/pyproject.toml | $(UV)
	@echo "install: the locked environment into .venv (3.1 GB to download on a fresh machine)"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable protos --editable .
	@touch $@

.clients/%/.installed: requirements/clients-%.txt | $(UV)
	@echo "install: the clients of $* into .clients"
	@test -x $(@D)/bin/python || $(UV) venv --quiet --python $(PYTHON) $(@D)
	@$(UV) pip sync --quiet --python $(@D)/bin/python --require-hashes $<
	@touch $@

node_modules/.installed: package-lock.json | .venv/.installed
	@echo "install: the JavaScript clients of the tests into node_modules"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-fund --no-audit
	@touch $@ $@-for-check

node_modules/.installed-for-check: package-lock.json | .venv/.installed
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --omit=dev --silent --no-fund --no-audit
	@touch $@
