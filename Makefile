# Two commands for a newcomer, each of which sets up what it needs: `make study` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

# What differs between processors, if anything: pixels, tiles, scores, training and resuming.
ELSEWHERE := $(addprefix tests/test_,upscale.py upscaler.py cli_upscale.py resize.py evaluation.py networks.py \
  train.py resume.py resume_adversarial.py)

# As many processes as there are cores, up to four: each takes about 1 GB.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: study test test-avx2 test-anywhere test-slow test-oldest check setup clean help

study: setup        ## train six SRCNN variants on a few photographs and say which is best (some minutes)
	$(BIN)/srlab study smoke

test: setup         ## every fast test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) --durations=20

test-avx2: setup    ## tests of pixels, tiles and resuming as an older processor runs them (a minute or two)
	ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ELSEWHERE)

test-anywhere: setup  ## every fast test on older processors, with two threads, in random order, on a busy machine (an hour)
	PYTHON=$(BIN)/python .ci/anywhere

test-oldest: .venv-oldest/.done  ## every fast test with the oldest versions that srlab allows, in .venv-oldest
	.venv-oldest/bin/python -m pytest $(SIDE_BY_SIDE)

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
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.venv-oldest/.done: pyproject.toml constraints-oldest.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-oldest.txt -e '.[dev]'
	@touch $@

help:               ## what there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):[^#]*## /make \1|/' | awk -F"|" '{printf "%-19s %s\n", $$1, $$2}'

clean:              ## remove the environment (runs/ stays)
	rm -rf .venv .venv-oldest
