# Every target does all its own set-up on a fresh machine: virtual environment, pinned packages, Java when missing.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALLED := .venv/.eoltag-dev
JAVA := JAVA_HOME="$$(./spark-submit.sh --print-java-home)"

.PHONY: help demo test test-outputs test-slow test-cluster lint audit reference docs-site fuzz chaos chaos-publish bench bench-parts bench-scale bench-start bench-tasks bench-decide bench-growth bench-heads bench-reuse bench-serve bench-soak bench-train clean
help:
	@echo "make demo         draw samples, train, serve 300 images on loopback, tag them, show the result (minutes)"
	@echo "make test         all tests but the slow ones"
	@echo "make test-outputs the tests of the jobs again, and 'eoltag verify' over every output that they leave"
	@echo "make test-slow    the slow ones: 20,000 images, memory, every architecture, a standalone Spark cluster"
	@echo "make test-cluster HDFS, YARN, S3 and a standalone Spark, real ones on this machine; each is killed once (25 minutes)"
	@echo "make lint         ruff and mypy"
	@echo "make audit        known holes of the pinned packages, by pip-audit; skipped without a network"
	@echo "make reference    the tables of docs/reference again, from the code"
	@echo "make docs-site    the documentation as a site with search, in build/docs-site"
	@echo "make fuzz         10,000 mutated pictures and bombs in a process with 1 GB; lists, cards, tasks, answers by atheris (minutes)"
	@echo "make chaos        kills, signals, storms, disks, readers, killer pictures, held against undisturbed runs (half an hour)"
	@echo "make chaos-publish readers beside 30 publications, decisions and compactions with kills (a quarter of an hour)"
	@echo "make bench        eoltag and its peers side by side: the same images, server, weights and machine (hours)"
	@echo "make bench-parts  fetch, decode and infer alone, and the bound they give (minutes)"
	@echo "make bench-scale  seconds a row, memory and files of runs over 10,000 and 100,000 rows"
	@echo "make bench-start  a run of 20 images beside the smallest PySpark program (minutes)"
	@echo "make bench-tasks  EOL's four tasks in one run, beside their five models alone"
	@echo "make bench-decide deciding a million rows again, beside predicting them"
	@echo "make bench-growth a new head over a million images whose features are stored (minutes)"
	@echo "make bench-reuse  each rung of the ladder beside fetching: ARGS='--images DIR --weights PATH --other-weights PATH'"
	@echo "make bench-serve  the HTTP service under load, against one image at a time"
	@echo "make bench-soak   50,000 fetches with faults: memory, sockets and threads must stay flat (minutes)"
	@echo "make bench-heads  heads as fit solves them against logistic regression: ARGS='--images DIR --weights PATH'"
	@echo "make bench-train  a fit on a frozen base against one pass over the images: ARGS='--data DIR --weights PATH'"
	@echo "make clean        remove what the targets above made"

$(INSTALLED): setup.py constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer was not found; set PYTHON" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the pinned packages into .venv (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python -m benchmarks.demo

test: $(INSTALLED)
	@tests/install_browser.sh
	@$(JAVA) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-outputs: $(INSTALLED)
	@EOLTAG_VERIFY_OUTPUTS=yes $(JAVA) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder tests/spark/jobs $(ARGS)

test-slow: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m pytest -m "slow and not cluster" $(ARGS)

test-cluster: $(INSTALLED)
	@$(BIN)/python -m tests.cluster.fetched
	@$(JAVA) $(BIN)/python -m pytest -m cluster tests/cluster $(ARGS)

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

audit:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer was not found; set PYTHON" >&2; exit 2; }
	@PYTHON="$(PYTHON)" .ci/audit

reference: $(INSTALLED)
	@$(BIN)/python -m docs.generator

docs-site: $(INSTALLED)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/docs-site is made; to read it: $(BIN)/python -m http.server -d build/docs-site --bind 127.0.0.1 8000"

bench: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.throughput $(ARGS)

bench-parts: $(INSTALLED)
	@$(BIN)/python -m benchmarks.parts $(ARGS)

bench-scale: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.scale $(ARGS)

bench-start: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.start $(ARGS)

bench-serve: $(INSTALLED)
	@$(BIN)/python -m benchmarks.serving $(ARGS)

fuzz: $(INSTALLED)
	@$(BIN)/python -m benchmarks.fuzz
	@$(BIN)/python -m benchmarks.guided $(ARGS)

chaos: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.chaos $(ARGS)

chaos-publish: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.chaos.publications $(ARGS)

bench-soak: $(INSTALLED)
	@$(BIN)/python -m benchmarks.soak $(ARGS)

bench-tasks: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.four_tasks $(ARGS)

bench-decide: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.deciding $(ARGS)

bench-growth: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.growth $(ARGS)

bench-reuse: $(INSTALLED)
	@$(JAVA) $(BIN)/python -m benchmarks.reuse $(ARGS)

bench-heads: $(INSTALLED)
	@$(BIN)/python -m benchmarks.heads $(ARGS)

bench-train: $(INSTALLED)
	@$(BIN)/python -m benchmarks.frozen_fit $(ARGS)

clean:
	rm -rf build dist .venv *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
