# One command each. Settings of the tools are in pyproject.toml; what is installed is in requirements*.lock.

PYTHON      ?= $(shell command -v python3.11 || echo python3)
VENV        ?= .venv
JOBS        ?= 2
PYTEST_ARGS ?=
BENCH_ARGS  ?=
SERVICES_ARGS ?=
# make lock UPGRADE=--upgrade takes the newest versions; without it pins move only where pyproject.toml demands.
UPGRADE     ?=

BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
BENCHES  = $(wildcard benchmarks/bench_*.py benchmarks/*/bench_*.py)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.SHELLFLAGS := -eu -c

.PHONY: help install demo test check lint types imports tests tests-slow seeds chaos format bench bench-smoke \
        services compiled interpreted test-compiled wheel lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv with the locked versions and the dms command

$(STAMP): requirements-dev.lock pyproject.toml setup.py | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements-dev.lock
	DMS_COMPILE=0 $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

# Debian ships python3 without ensurepip, and so without a working venv.
$(BIN)/python:
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        apt-get update -q; \
	        DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv; \
	    else \
	        echo "make install needs Python 3.11 with venv: apt-get install python3-venv as root, or set PYTHON" >&2; \
	        exit 1; \
	    fi; \
	fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "make install needs Python 3.11 or newer: set PYTHON" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

demo: install ## a synthetic operator on an accelerated clock, with the console's address
	$(BIN)/dms demo

test: check tests ## all checks and the whole suite

check: lint types imports ## the static checks alone

lint: install ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## mypy, strict
	$(BIN)/mypy

imports: install ## who may import whom
	$(BIN)/lint-imports

# A compiled module wins over its source: a stale one would be tested in its place.
tests: install ## pytest alone; PYTEST_ARGS='-k word' narrows it
	@compiled="$$(ls -t domain/*.so 2>/dev/null | tail -n 1)"; \
	if [ -n "$$compiled" ] && [ -n "$$(find domain sim/casework.py sim/services.py -name '*.py' -newer "$$compiled")" ]; then \
	    echo "domain/ or the laboratory's inner loop was edited after it was compiled: make compiled, or make interpreted" >&2; exit 1; \
	fi
	$(BIN)/pytest -n $(JOBS) $(PYTEST_ARGS)

tests-slow: install ## the slow tests, which the suite leaves out
	$(BIN)/pytest -n $(JOBS) -m slow --timeout 1800 $(PYTEST_ARGS)

seeds: install ## many seeded worlds of faults: SEEDS=5000 says up to which
	SEEDS=$(or $(SEEDS),1000) $(BIN)/pytest -q -n $(JOBS) tests/engine/test_seeds.py $(PYTEST_ARGS)

chaos: install ## the promises on real servers that are killed: ONLY="R1 R4"; FULL=1 for a release's counts
	$(BIN)/python -m tests.chaos $(ONLY)

format: install ## put style and formatting right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

services: ## PostgreSQL, RabbitMQ and ZooKeeper on loopback where they do not run; SERVICES_ARGS=--tools
	@ops/services.sh $(SERVICES_ARGS)

bench: install ## measure; BENCH_ARGS='-k word --benchmark-autosave'
	$(BIN)/pytest benchmarks -p no:xdist --timeout 0 --benchmark-only --benchmark-group-by group --benchmark-sort name \
	    --benchmark-columns min,median,iqr,ops,rounds $(BENCH_ARGS)

bench-smoke: install ## run each benchmark once, unmeasured
	@$(if $(BENCHES),$(BIN)/pytest benchmarks -p no:xdist --benchmark-disable $(BENCH_ARGS),echo "no benchmarks yet")

compiled: install interpreted ## compile domain/ in place
	DMS_COMPILE=1 $(BIN)/python setup.py --quiet build_ext --inplace
	@ls domain/*.so >/dev/null 2>&1 || { echo "domain/ was not compiled" >&2; exit 1; }

interpreted: ## remove what was compiled
	@find domain sim -name '*.so' -delete
	@rm -rf ./*__mypyc*.so build

test-compiled: ## the suite over the compiled domain, then back to the interpreted one
	@$(MAKE) --no-print-directory compiled
	@trap '$(MAKE) --no-print-directory interpreted' EXIT; $(MAKE) --no-print-directory tests

wheel: install interpreted ## a wheel in dist/, with domain/ compiled where there is a C compiler
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

LOCK = "$$scratch/bin/uv" pip compile pyproject.toml --quiet --generate-hashes --universal --fork-strategy fewest \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)

lock: ## pin what pyproject.toml asks for, with hashes and without addresses
	@scratch="$$(mktemp -d)"; trap 'rm -rf "$$scratch"' EXIT; \
	$(PYTHON) -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.13'; \
	$(LOCK) --extra dev -o requirements-dev.lock; \
	$(LOCK) -c requirements-dev.lock -o requirements.lock

clean: interpreted ## remove the environment, caches and build products
	rm -rf $(VENV) build dist ./*.egg-info .benchmarks \
	    .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
