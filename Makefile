.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-fast lint types format bench check-freshness screenshots openapi lock clean runtime

# Python packages are fetched with the certificates of this machine.
export UV_SYSTEM_CERTS := 1
PORT ?= 8000
USERS ?= 100000
PYTHON := .venv/bin/python
UV := .tools/bin/uv
COMPILE := $(UV) pip compile --universal --generate-hashes --python-version 3.11 --quiet

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Tools and environment, everything that the checks need
	@python3 scripts/setup.py dev

runtime:
	@python3 scripts/setup.py runtime

demo: runtime ## The whole product with demo data on 127.0.0.1 (PORT=8000)
	@exec $(PYTHON) -m scripts.demo --port $(PORT)

test: setup ## Every check and every test, on SQLite and PostgreSQL and in a browser
	@exec $(PYTHON) -m scripts.test

test-fast: setup ## The tests on SQLite, without a browser
	@exec $(PYTHON) -m scripts.test fast

lint: setup ## Lint, format, import contracts, templates, missing migrations
	@exec $(PYTHON) -m scripts.test lint

types: setup ## Static types
	@exec $(PYTHON) -m scripts.test types

format: setup ## Format the code and fix what can be fixed without thinking
	@$(PYTHON) -m ruff check --fix --quiet --exit-zero .
	@$(PYTHON) -m ruff format .

bench: setup ## Measure the entitlement read (USERS=100000)
	@exec env USERS=$(USERS) $(PYTHON) -m scripts.bench

check-freshness: setup ## Check that no read is stale while workers are killed (SECONDS=60)
	@exec $(PYTHON) -m scripts.checking

screenshots: setup ## Pictures of the demo's pages for README and docs (docs/images)
	@exec $(PYTHON) -m scripts.screenshots

openapi: setup ## Write docs/openapi.yaml anew from the code
	@env TESTING=1 $(PYTHON) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

lock: setup ## Write both lock files anew from pyproject.toml (UPGRADE=1 takes the newest versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml -o requirements.lock
	$(COMPILE) $(if $(UPGRADE),--upgrade) --group dev pyproject.toml -o requirements-dev.lock

clean: ## Remove tools, environment and caches; var/ with its database stays
	rm -rf .tools .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
