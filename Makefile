# `make demo` and `make test` do everything on a machine with python3 (venv, headers), g++ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV = $(BIN)/uv pip install --python $(BIN)/python --no-deps
# Pyfhel's own CMake options would fetch from GitHub; this file turns that off. CMake wants an absolute path.
export CMAKE_TOOLCHAIN_FILE := $(CURDIR)/tools/pyfhel_offline.cmake
export UV_LINK_MODE := copy
export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup demo test test-all fuzz audit coverage lint types format lock clean
help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(STAMP) ## all that the other targets need, into .venv; a failed set-up goes on where it stopped

# The stamp comes last: whatever fails on the way leaves a set-up that the next `make` takes up again.
# trio-stubs (from trio-typing, which libp2p imports) are types of an old trio that would hide trio's own.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) tools/check_machine.py
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "Setting up .venv. The first time takes about five minutes: Pyfhel (Microsoft SEAL) is built from source."
	@tools/with_progress.sh $(UV) --require-hashes -r requirements.lock
	@$(UV) --quiet --editable .
	@rm -rf $(VENV)/lib/*/site-packages/trio-stubs
	@touch $@

demo: setup ## 24 private peers train one model on digits in 10 rounds, with an embedded chain; report in runs/
	$(BIN)/simnet run --task digits --peers 24 --rounds 10 --seed 0 --out runs/demo-$$(date +%Y%m%d-%H%M%S)

test: lint types ## ruff, strict mypy, the architecture test and all tests but the slow ones
	$(BIN)/pytest -m "not slow"

test-all: lint types ## as `make test`, with the slow tests
	$(BIN)/pytest

FUZZ_SECONDS ?= 3600
fuzz: setup ## an hour of coverage-guided fuzzing of every decoder of outside bytes (FUZZ_SECONDS=60 for a minute)
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)

audit: setup ## slither and solhint on the contracts: fails on anything high or medium, or not answered
	$(BIN)/python -m contracts.audit

coverage: setup ## branch coverage of the contracts: a report, not a check (its compiler settings make some tests fail)
	-$(BIN)/python -m contracts.forge coverage --ir-minimum --exclude-tests

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

format: setup ## put the code in order (ruff)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: setup ## bring requirements.lock up to the newest releases that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --prerelease if-necessary-or-explicit --upgrade --quiet -o requirements.lock

clean: ## remove .venv and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
