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
.PHONY: help setup run dev mlflow serve dashboard test check format bench lock clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: .venv/.ready .env  ## Install everything into .venv, write .env

run: setup  ## From raw rows to the champion (DOMAIN=chicago_crime|forest_cover, UPSTREAM=sandbox|live, PARTITION=, REPLAY=folder)
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

test: setup  ## All tests
	@$(VENV)/python -m pytest

check: setup  ## Everything that CI checks besides the tests
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports
	@$(VENV)/dg check defs

format: setup  ## Format the code
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

bench: setup  ## Ratios measured in one run (DATA=folder of real exports)
	@$(VENV)/python -m benchmarks $(if $(DATA),--data "$(DATA)")

lock: .venv/.uv  ## Resolve the requirement files anew
	$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --group dev --upgrade pyproject.toml --output-file requirements/dev.txt
	$(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --all-extras --constraint requirements/dev.txt pyproject.toml --output-file requirements/app.txt

clean:  ## Remove the virtual environment and caches; .mlops and .env stay
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
