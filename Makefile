# Two commands for a newcomer, each of which sets up what it needs: `make study` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: study test test-slow check setup clean help

study: setup        ## train six SRCNN variants on a few photographs and say which is best (some minutes)
	$(BIN)/srlab study smoke

test: setup         ## every fast test
	$(BIN)/python -m pytest

test-slow: setup    ## the long ones: real trainings, long kills, every benchmark started once
	$(BIN)/python -m pytest -m slow

check: setup        ## linter, formatter, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "srlab needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "srlab needs Python 3.11 or newer; $(PYTHON) is older: say make PYTHON=/path/to/python"; exit 2; }
	@echo "Setting up .venv (once, some minutes: a few hundred MB are fetched, 2 GB on the disk) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

help:               ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):[^#]*## /make \1|/' | awk -F"|" '{printf "%-16s %s\n", $$1, $$2}'

clean:              ## remove the environment (runs/ stays)
	rm -rf .venv
