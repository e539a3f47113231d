.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test soak gallery check lint types protos protos-check bench up lock clean
BIN := .venv/bin
# Every start of a Python process would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE
PREPARE := $(or $(PYTHON),python3) -m deploy.prepare

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from the lock (PYTHON=python3.12, EXTRAS=gpu); nothing to do is quick
	@$(PREPARE)

demo: ## the main job on real MNIST: data in, train, deploy, predict (PORT=8470, FRESH=1 trains again)
	@$(PREPARE) --demo
	@$(BIN)/python -m modelyard.local.demo

demo-down: ## stop what a demo left running
	@$(BIN)/modelyard down --dir .modelyard

up: setup ## start the installation in this folder; Ctrl-C ends it
	@$(BIN)/modelyard up

test: check ## all checks, then all tests, two at a time (PYTEST="-n 0 -k name" picks)
	$(BIN)/python -m pytest -n 2 -p tests.support.left_out $(PYTEST)

soak: setup ## what is too long for each change: many kills, many examples of each property (PYTEST=…)
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m 'soak or hypothesis' --timeout 900 -p tests.support.left_out $(PYTEST)

gallery: setup ## the published figures again, row by row, and what has drifted (ROWS="adult spam", SEEDS=3, PUBLISH=1)
	@$(BIN)/python -m modelyard.local.gallery

check: lint types protos-check ## everything but the tests

lint: setup ## ruff, import contracts, buf
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-logo
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format -d --exit-code --path modelyard

types: setup ## mypy, strict
	$(BIN)/mypy

protos: setup ## generate services/modelyard/api from protos/
	deploy/protos.sh

protos-check: setup ## fail when services/modelyard/api is not what protos/ generates
	deploy/protos.sh --check

bench: setup ## measure what is promised, each figure beside its floor (long)
	$(BIN)/python -m tests.bench

lock: setup ## renew the hash locks from pyproject.toml (UV=/path/to/uv, UPGRADE=--upgrade)
	deploy/lock.sh $(UPGRADE)

clean: ## remove environments and caches; data in .modelyard stays
	rm -rf .venv .venv-protos setup.log .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
