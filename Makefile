# Every target is quick when there is nothing to do. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# nats-server built from its Go module, where Debian has none.
export DALSTON_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dalston
export PATH := $(PATH):$(DALSTON_CACHE)/bin

.PHONY: help setup
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## virtual environment, Debian packages, nats-server
	@scripts/setup.sh
