# What a person types. `make run` on a fresh machine needs python3 (3.11 or newer), make and git, nothing else.

PYTHON ?= python3
WORKERS ?= auto
ARGS ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test check lock coverage clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.installed ## Serve the demo on its own PostgreSQL; ARGS="--port 9000" goes to `mandate demo`
	@exec $(BIN)/mandate demo $(ARGS)

test: .venv/.installed-for-development ## Run every test; ARGS goes to pytest
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: .venv/.installed-for-development ## Format, lint, types, import directions and house rules
	@scripts/check

coverage: .venv/.installed-for-development ## Run every test and report the branch coverage of modules/ (95 % at least); twice as long
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term $(ARGS)

lock: .venv/.installed-for-development ## Resolve the lock files anew within the ranges of pyproject.toml; ARGS="--upgrade" takes newer releases
	@scripts/lock $(ARGS)

clean: ## Remove the environment and all caches; data/ is yours and stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: an installation is repeated only when its lock file or the project's own metadata changed.

.venv/.installed: requirements.lock pyproject.toml | .venv/bin/pip
	@echo "Installing the locked requirements into .venv ..."
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-for-development: requirements-dev.lock .venv/.installed
	@echo "Installing the locked development requirements into .venv ..."
	@$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv/bin/pip:
	@command -v $(PYTHON) > /dev/null || { \
	  echo "make: $(PYTHON) is not on the PATH. Install Python 3.11 or newer, or name one: make run PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make run PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "make: $(PYTHON) cannot make environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
