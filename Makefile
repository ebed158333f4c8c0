# Everything a fresh machine needs is behind these words; `make demo` and `make test` are the two to know.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKSPACE ?= sallyport-demo
STAMP := $(VENV)/.installed
JUDGE := $(VENV)-judge/.installed
VALIDATORS := $(VENV)-validators/.installed

.PHONY: help demo test fast check format bench docs lock system-packages clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: $(STAMP) $(JUDGE)  ## Sample archive -> release -> verify, in ./sallyport-demo
	rm -rf $(WORKSPACE)
	$(BIN)/sallyport demo --workspace $(WORKSPACE)

test: $(STAMP) $(JUDGE) $(VALIDATORS) system-packages check  ## Install what tests need, check style and contracts, run every test
	$(BIN)/python -m pytest -m "(servers or bench) and not exhaustive" --durations=15
	$(BIN)/python -m pytest -m "not servers and not bench and not exhaustive" -n 2 --dist worksteal --durations=25

fast: $(STAMP)  ## The quick tests only
	$(BIN)/python -m pytest -m "not slow and not servers and not bench and not exhaustive" -n 2

exhaustive: $(STAMP)  ## Kill before and after every write, race fifty times: minutes of one core each
	$(BIN)/python -m pytest -m exhaustive --timeout 3600

check: $(STAMP)  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tasks.deidentify.conformance --check

bench: $(STAMP) .bench-venv/.installed  ## Planted-PHI benchmark, public tools beside ours
	$(BIN)/python -m tests.bench.phi

.bench-venv/.installed: tests/bench/phi/requirements.txt
	test -x .bench-venv/bin/python || $(PYTHON) -m venv .bench-venv
	$(BIN)/uv pip install -q --python .bench-venv/bin/python -r $<
	touch $@

format: $(STAMP)  ## Format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## Write what is generated from the rules: conformance statement, README table
	$(BIN)/python -m tasks.deidentify.conformance
	$(BIN)/python -m tasks.report

lock: $(STAMP)  ## Resolve pyproject.toml into requirements.lock (names no index)
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate -o requirements.lock -q --custom-compile-command 'make lock'
	$(BIN)/uv pip compile infra/validators/requirements.in --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate -o infra/validators/requirements.lock -q --custom-compile-command 'make lock'

system-packages:
	infra/install-system-packages.sh

# Bytecode is compiled here, once: where Python may not write it, each start of Prefect or a worker would compile for seconds.
$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip sync -q --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps -e .
	$(BIN)/python -m flows.run_server --tables
	touch $@

# The face judge's detectors want numpy < 2: an environment of their own. Without it the relief test decides and says what was not assessed.
$(JUDGE): infra/judge/requirements.lock $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" infra/judge/install.sh $(CURDIR)/$(VENV)-judge || echo "face judge not installed: the relief test decides alone"
	mkdir -p $(@D) && touch $@

# What checks the files under infra/; without it those tests say what they did not check.
$(VALIDATORS): infra/validators/requirements.lock $(STAMP)
	$(BIN)/uv venv -q --allow-existing --python $(BIN)/python $(@D)
	$(BIN)/uv pip install -q --python $(@D)/bin/python --require-hashes -r $< || echo "validators not installed: infra/ is checked in part"
	mkdir -p $(@D) && touch $@

clean:  ## Remove what the targets above made
	rm -rf $(VENV) $(VENV)-judge $(VENV)-validators $(WORKSPACE) build dist
