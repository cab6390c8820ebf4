# Two commands are enough: `make demo` and `make test`. `make` alone lists the rest.
PYTHON ?= python3
VENV := .venv
HANDPICKED := $(VENV)/bin/handpicked
PYTEST := $(VENV)/bin/python -m pytest
DATA ?=
WORKSPACE ?= workspace
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-test caniemail demo studio test test-fast crash lint bench

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort

setup:  ## .venv with the locked dependencies
	@$(PYTHON) tools/setup.py $(VENV) requirements.lock

setup-test:
	@$(PYTHON) tools/setup.py $(VENV) requirements-test.lock
	@$(VENV)/bin/python tools/test_machine.py

caniemail: setup  ## which mail clients support what, by npm, for `handpicked template check --clients`
	@$(VENV)/bin/python tools/caniemail.py $(VENV)

demo: setup  ## the whole job on a sample shop; DATA=orders.csv.gz does it on an order file
	@$(HANDPICKED) demo --workspace "$(WORKSPACE)" $(if $(DATA),--data "$(DATA)")

studio: setup  ## campaigns and previews in the browser
	@$(HANDPICKED) studio --workspace "$(WORKSPACE)"

test: setup-test lint  ## everything: linters, types, all tests
	@$(PYTEST) -q -n $(WORKERS)

test-fast: setup-test  ## the tests of a minute
	@$(PYTEST) -q -n $(WORKERS) -m "not slow and not browser and not postgres and not orders"

crash: setup-test  ## the crash tests in full: 10,000 people, 200 kills, every label, both stores; a quarter of an hour
	@CRASH_TESTS=whole $(PYTEST) -q -n $(WORKERS) tests/crash tests/campaigns/test_opt_out_during_run.py

lint: setup-test  ## ruff and mypy
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

bench: setup-test  ## all benchmarks, as tables
	@for file in benchmarks/[a-z]*.py; do $(VENV)/bin/python $$file || exit 1; done
