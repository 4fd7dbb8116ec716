# `make demo` and `make test` do everything on a machine with python3 (venv, headers), g++ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Pyfhel's CMake would fetch from GitHub; this file turns that off (see tools/pyfhel-offline). Absolute, as CMake wants.
export CMAKE_TOOLCHAIN_FILE := $(CURDIR)/tools/pyfhel-offline/pyfhel_offline.cmake
export UV_LINK_MODE := copy

.PHONY: help setup demo test test-all lint types unit lock format clean
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## everything the other targets need, into .venv
$(STAMP): requirements.lock pyproject.toml tools/check_machine.py
	@$(PYTHON) tools/check_machine.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "Setting up .venv. The first time this builds Pyfhel (Microsoft SEAL) from source: about five minutes."
	@$(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements.lock uv.lock.txt 2>/dev/null || \
	  tools/with_progress.sh $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: setup ## 24 private peers train one model (digits, 10 rounds, embedded chain)
	$(BIN)/simnet run --task digits --peers 24 --rounds 10 --seed 0 --out runs/demo

test: setup lint types ## ruff, strict mypy, the architecture test and the tests
	$(BIN)/pytest -m "not slow"

test-all: setup lint types ## the slow tests too
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

format: setup ## ruff, in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## rewrite requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --prerelease if-necessary-or-explicit --upgrade --quiet -o requirements.lock

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
