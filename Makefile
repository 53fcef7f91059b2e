# Ommatidia. `make help` lists the commands. On a fresh Debian or Ubuntu they need git, make, python3 (3.11 or newer) and
# python3-venv; everything else is installed into .venv at the exact versions of requirements/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet # twice: no warnings, only errors
UV := $(VENV)-lock/bin/uv
READERS := .venv-readers

# The first interpreter that runs, is new enough and can make environments. Choose yourself: make PYTHON=python3.12 ...
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
  $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

# Further arguments: make warehouse ARGS="count=8 out=out/small", make test ARGS="-k recipe -x"
ARGS ?=

.PHONY: help
help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: warehouse
warehouse: $(VENV)/.run  ## Install, then make the warehouse dataset (the last line says where to look)
	$(BIN)/python -m engine.run +scene=warehouse $(ARGS)

.PHONY: loop
loop: $(VENV)/.dev  ## From a model's failure to the next data, and whether it helped (25 minutes; docs/loop.md)
	$(BIN)/python -m engine.loop --out out/loop $(ARGS)
	@test -z "$(LOOP_REAL)" || $(MAKE) loop-tiles

.PHONY: loop-tiles
loop-tiles: $(VENV)/.dev  ## The same on real tiles: make loop-tiles LOOP_REAL=DIR
	@test -n "$(LOOP_REAL)" || { echo "LOOP_REAL names no folder with annotations.json and images" >&2; exit 1; }
	$(BIN)/python -m engine.loop --out out/loop-tiles --real "$(LOOP_REAL)" $(ARGS)

.PHONY: install
install: $(VENV)/.run  ## Only install, into .venv

.PHONY: test
test: $(VENV)/.dev  ## Install, then run the tests on the CPU device
	$(BIN)/python -m pytest $(ARGS)

.PHONY: check lint types contracts
check: lint types contracts  ## Lint, formatting, types, import rule, kernel conventions

lint: $(VENV)/.dev
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check --quiet .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/contract/test_imports.py tests/contract/test_kernels.py

.PHONY: format
format: $(VENV)/.dev  ## Apply the formatter and the safe lint fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: judge
judge: $(VENV)/.judge $(if $(OMMATIDIA_READERS),,$(READERS)/.readers)  ## Install independent reference programs, then compare with them; a missing one fails
	$(BIN)/python -m pytest -m judge $(ARGS)

.PHONY: wheel
wheel: $(VENV)/.dev  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

.PHONY: lock
lock: $(UV)  ## Resolve the dependencies again and write requirements/lock-*.txt
	requirements/lock.sh $(UV)

.PHONY: clean
clean:  ## Remove environments, caches and builds; datasets in out/ stay
	rm -rf $(VENV) $(VENV)-lock $(READERS) dist build .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each lock holds the ones before it, so one environment serves all.

$(VENV)/.run: requirements/lock-run.txt pyproject.toml | $(BIN)/python
	@echo "installing what running needs into $(VENV) (once; about 300 MB to download)"
	$(PIP) -r requirements/lock-run.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m engine.warm
	@touch $@

$(VENV)/.dev: requirements/lock-dev.txt pyproject.toml | $(BIN)/python
	@echo "installing what running and testing need into $(VENV) (once; about 300 MB to download)"
	$(PIP) -r requirements/lock-dev.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.run $@

$(VENV)/.judge: requirements/lock-judge.txt requirements/debian-judge.txt $(VENV)/.dev
	@echo "installing the judges into $(VENV) (once; about 200 MB to download)"
	requirements/install-debian.sh requirements/debian-judge.txt
	$(PIP) -r requirements/lock-judge.txt
	@touch $@

# An environment of its own: PyTorch and the readers that need it want other versions of what .venv has.
$(READERS)/.readers: requirements/lock-readers.txt | $(READERS)/bin/python
	@echo "installing other people's readers into $(READERS) (once; about 3 GB to download, 7 GB on disk)"
	$(READERS)/bin/python -m pip --disable-pip-version-check install --quiet --quiet -r requirements/lock-readers.txt
	@touch $@

$(READERS)/bin/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(READERS)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(UV):
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip --disable-pip-version-check install --quiet uv
