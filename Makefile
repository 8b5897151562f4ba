# Everything a developer does. Needs make and Python 3.11 or newer; `make PYTHON=/path/to/python3.12 run` picks one.
PYTHON ?= python3
BIN := .venv/bin
PO := $(wildcard locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)
LOCK := $(BIN)/pip-compile --quiet --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

# Container images like to set it; each of many processes would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run test lint tools bench chaos screenshots observatory sbom lock ready

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: ready ## one export, from the click to the e-mail, on a stack of its own
	@$(BIN)/python -m dev.demo

run: ready ## the site with all its processes, kept running for a browser
	@$(BIN)/python -m dev.run

test: ready ## all tests: on SQLite, in a browser, on PostgreSQL
	$(BIN)/python -m pytest -n auto --maxschedchunk 1
	$(BIN)/python -m pytest -n auto --maxschedchunk 1 --database postgres

lint: ready ## style, safety, types, migrations, deployment checks, Dockerfile, templates, translations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml --severity-level medium \
		api benchmarks blog dev exports microblog
	DEBUG=true $(BIN)/mypy .
	DEBUG=true $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m dev.check_deploy
	$(BIN)/python -m dev.check_upgrades
	$(BIN)/hadolint Dockerfile
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python -m dev.check_translations

tools: ## install the system packages that some tests need: a browser, GNU gettext, nginx, systemd, promtool
	@sh dev/tools.sh

bench: ready .venv/.bench-installed ## every goal of speed and memory with its figure, in ten minutes
	@$(BIN)/python -m benchmarks

chaos: ready ## fault injection on both databases, as a table; CHAOS_KILLS=300 for the long run
	$(BIN)/python -m pytest -m chaos
	$(BIN)/python -m pytest -m chaos --database postgres
	@$(BIN)/python -m dev.chaos

screenshots: ready ## every page at two widths, in light and dark, into var/screenshots/
	@$(BIN)/python -m dev.screenshots

observatory: ready ## what Mozilla's scanner says of the site; needs Node.js and npm
	@$(BIN)/python -m dev.observatory

sbom: ready ## every package that runs, with its version: var/sbom.json, as CycloneDX
	@mkdir -p var
	@$(BIN)/cyclonedx-py requirements --output-reproducible --output-file var/sbom.json requirements.txt
	@echo "The list lies in var/sbom.json"

lock: ready ## pin every version: requirements*.in -> requirements*.txt
	$(LOCK) --output-file requirements.txt requirements.in
	$(LOCK) --allow-unsafe --output-file requirements-dev.txt requirements-dev.in
	$(LOCK) --output-file requirements-bench.txt requirements-bench.in

ready: .venv/.installed .env $(MO)

.venv/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Microblog needs Python 3.11 or newer: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@echo "Making the virtual environment .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what requirements.txt and requirements-dev.txt name ..."
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@touch $@

.venv/.bench-installed: requirements-bench.txt .venv/.installed
	@echo "Installing what draws the plots ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

.env:
	@echo "Writing .env: DEBUG and a new SECRET_KEY ..."
	@umask 077 && printf 'DEBUG=true\nSECRET_KEY=%s\n' "$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" > $@

%.mo: %.po | .venv/.installed
	@echo "Compiling $< ..."
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@
