# Every target does all its own set-up on a fresh machine: virtual environment, pinned packages, Java when missing.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/.eoltag-dev
JAVA := JAVA_HOME="$$(./spark-submit.sh --print-java-home)"

.PHONY: help demo test test-slow lint bench bench-serve clean
help:
	@echo "make demo        draw samples, train, serve 300 images on loopback, tag them, show the result (minutes)"
	@echo "make test        all tests but the slow ones"
	@echo "make test-slow   the slow ones: 20,000 images, memory, every architecture, a standalone Spark cluster"
	@echo "make lint        ruff and mypy"
	@echo "make bench       throughput against the notebook loop, side by side"
	@echo "make bench-serve the HTTP service under load, against one image at a time"
	@echo "make clean       remove what the targets above made"

$(INSTALLED): setup.py constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer was not found; set PYTHON" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the pinned packages into .venv (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python -m benchmarks.demo

test: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m pytest -m "not slow" $(ARGS)

test-slow: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m pytest -m slow $(ARGS)

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.throughput $(ARGS)

bench-serve: $(INSTALLED)
	@$(BIN)/python -m benchmarks.serving $(ARGS)

clean:
	rm -rf build dist .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
