# What a person needs, by `make help`. A fresh machine needs git, make and Python 3.11 or newer, nothing else.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench setup kafka redis lock format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## play the demo: a status page on http://127.0.0.1:8080
	$(BIN)/tocsin demo $(ARGS)

test: setup ## run the tests (ARGS="-k name" for some of them)
	$(BIN)/python -m pytest $(or $(ARGS),-n 3)

check: setup ## style, types and architecture
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: setup ## measure (ARGS="ingest --json" for one of them)
	$(BIN)/python -m bench $(ARGS)

setup: $(STAMP) ## make .venv with the pinned dependencies; done once

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv || { \
		echo "$(PYTHON) cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

kafka: setup ## run a Kafka node on 127.0.0.1:9092 until Ctrl-C (Java 17 and Maven; ARGS="--port N --data DIR")
	$(BIN)/python -m deploy.kafka $(ARGS)

redis: setup ## run a Redis on 127.0.0.1:6379 until Ctrl-C (ARGS="--port N --data DIR")
	$(BIN)/python -m deploy.redis $(ARGS)

COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" --quiet
IMAGE = deploy/docker

lock: ## write the locks anew from pyproject.toml (ARGS=--upgrade for newer versions)
	$(COMPILE) pyproject.toml --all-extras --group dev $(ARGS) -o requirements.lock
	$(COMPILE) pyproject.toml --all-extras --constraints requirements.lock -o $(IMAGE)/requirements.lock
	$(COMPILE) --group build --constraints requirements.lock -o $(IMAGE)/build.lock

format: setup ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove what was installed, fetched and built
	rm -rf .venv .parts build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
