# `make run`: from nothing to a champion model. `make help` lists everything.
# Needs Python 3.11, make and git; all else is installed into .venv from hashed requirement files.

PYTHON ?= python3.11
DOMAIN ?= chicago_crime
UPSTREAM ?= sandbox
PORT ?= 3000
VENV := .venv/bin
OPTIONS = --upstream $(UPSTREAM) $(if $(REPLAY),--replay "$(REPLAY)") $(if $(PARTITION),--partition $(PARTITION))

# Commands in recipes find the instance's settings, telemetry among them, from their first line on.
export DAGSTER_HOME ?= $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help setup run dev mlflow serve dashboard test test-services check audit images format bench lock tidy
.PHONY: env up down restart install clean logs status backup restore

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 15

setup: .venv/.ready .env  ## Install everything into .venv, write .env

run: setup  ## From raw rows to the champion (DOMAIN=chicago_crime|forest_cover|donostia_parking, UPSTREAM=sandbox|live, PARTITION=, REPLAY=folder)
	@$(VENV)/mlops-assets run $(DOMAIN) $(OPTIONS) $(if $(WHOLE_BATCHES),--whole-batches)

dev: setup  ## The Dagster UI with its daemon on 127.0.0.1:3000 (PORT=), the sandbox beside it
	@$(VENV)/mlops-assets dev --port $(PORT) --upstream $(UPSTREAM) $(if $(REPLAY),--replay "$(REPLAY)")

mlflow: setup  ## The MLflow UI on 127.0.0.1:5000
	@$(VENV)/mlops-assets mlflow

serve: PORT = 8000
serve: setup  ## The prediction API on 127.0.0.1:8000 (PORT=); its documentation is at /docs
	@$(VENV)/mlops-assets serve --port $(PORT)

dashboard: PORT = 8501
dashboard: setup  ## The analysts' dashboard on 127.0.0.1:8501 (PORT=); it asks the API that `make serve` runs
	@$(VENV)/mlops-assets dashboard --port $(PORT)

# The deployment with docker-compose.yml; none of this needs .venv. COMPOSE="..." names another command than the one that is found.
COMPOSE ?=
SERVICE ?=
STACK = @COMPOSE="$(COMPOSE)" SERVICE="$(SERVICE)" sh deploy/stack.sh

env:  ## Deployment: write what .env lacks, with new passwords; lines that are there stay
	@sh deploy/env.sh

up:  ## Deployment: start every service, wait until all are healthy, print the addresses
	$(STACK) up

down:  ## Deployment: stop every service; data stay
	$(STACK) down

restart:  ## Deployment: start every service anew, with what .env says now (SERVICE=)
	$(STACK) restart

install:  ## Deployment: build the images anew, with new dependencies (SERVICE=)
	$(STACK) install

logs:  ## Deployment: the log as it is written (SERVICE=)
	$(STACK) logs

status:  ## Deployment: every service and its health
	$(STACK) status

clean:  ## Deployment: delete containers, networks and volumes, with all data in them; asks before (the virtual environment: tidy)
	$(STACK) clean

backup:  ## Deployment: copy databases and buckets into a new folder (TO=)
	$(STACK) backup "$(TO)"

restore:  ## Deployment: put a backup back in place of what there is; asks before (FROM=)
	$(STACK) restore "$(FROM)"

test: setup  ## All tests that need no server but their own
	@$(VENV)/python -m pytest -m "not services"

test-services: setup  ## Tests on real servers: Ceph's S3 gateway, PostgreSQL, MLflow; installs what is missing (as root, on Debian)
	@bash .ci/install-services
	@$(VENV)/python -m pytest -m services mlops_assets_tests/services

check: setup  ## Everything that CI checks besides the tests
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports
	@$(VENV)/dg check defs

audit: setup  ## Known vulnerabilities, a bill of materials, secrets in the repository
	@bash .ci/audit

images:  ## Build the images with buildah, without an engine
	@bash .ci/build-images

format: setup  ## Format the code
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

bench: setup  ## Ratios measured in one run (DATA=folder of real exports)
	@$(VENV)/python -m benchmarks $(if $(DATA),--data "$(DATA)")

lock: COMPILE = $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock: .venv/.uv  ## Resolve the requirement files anew
	$(COMPILE) --all-extras --group dev --upgrade pyproject.toml --output-file requirements/dev.txt
	$(COMPILE) --all-extras --constraint requirements/dev.txt pyproject.toml --output-file requirements/app.txt
	$(COMPILE) --extra cloud --constraint requirements/dev.txt pyproject.toml --output-file requirements/lineage.txt
	for image in build serving dashboard; do \
	  $(COMPILE) --group image-$$image --constraint requirements/dev.txt --output-file requirements/$$image.txt || exit 1; \
	done

tidy:  ## Remove the virtual environment and caches; .mlops and .env stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/.uv:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11, or name it: make PYTHON=python3 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null || { echo "$(PYTHON) is not Python 3.11 or 3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

.venv/.ready: .venv/.uv requirements/dev.txt pyproject.toml
	$(VENV)/uv pip install --quiet --compile-bytecode --python $(VENV)/python --require-hashes --requirement requirements/dev.txt
	$(VENV)/uv pip install --quiet --python $(VENV)/python --no-deps --no-build-isolation --editable .
	@touch $@

.env: .venv/.ready .env.example
	@$(VENV)/mlops-assets init
	@touch $@
