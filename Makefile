# Every target makes its own virtual environment and installs all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= auto

.PHONY: help install demo test lint coverage benchmark fuzz clean

help:            ## this list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/run.stamp            ## the command, in a virtual environment of its own: .venv/bin/meterweave

demo: $(VENV)/run.stamp            ## a centre and a simulated town on this machine; DEMO="--until-complete" ends it by itself
	@$(BIN)/meterweave demo $(DEMO)

test: $(VENV)/dev.stamp            ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

coverage: $(VENV)/dev.stamp            ## branch coverage of the protocols, at least 98 %
	$(BIN)/python -m pytest -n $(WORKERS) tests/protocols tests/metering --cov=src/meterweave/protocols --cov=src/meterweave/metering --cov-branch --cov-report=term:skip-covered --cov-fail-under=98

lint: $(VENV)/dev.stamp            ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: $(VENV)/bench.stamp            ## speed of the codecs beside their peers
	$(BIN)/python -m benchmarks.codecs $(BENCH_FLAGS)

fuzz: $(VENV)/dev.stamp            ## random and mutated frames into every decoder; INPUTS=10000000 for the long run
	$(BIN)/python -m benchmarks.fuzz --inputs $(or $(INPUTS),100000)

clean:            ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Meterweave needs Python 3.11 or newer, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/bench.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@
