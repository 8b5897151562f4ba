# Developer commands. Needs make and Python 3.11 or newer: make PYTHON=python3.12 run
PYTHON ?= python3
BIN := .venv/bin
PO := $(wildcard locale/*/LC_MESSAGES/*.po)
MO := $(PO:.po=.mo)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11.0 --no-header

# $(call logged,NAME,COMMAND): run with output to var/log/NAME.log, and show its end after a failure.
# Only the log is private: other users, such as that of PostgreSQL in the tests, read the packages.
logged = ((umask 077 && mkdir -p var/log && : >var/log/$(1).log) && $(2) >>var/log/$(1).log 2>&1 \
	|| { tail -n 15 var/log/$(1).log >&2; exit 1; })
install = echo "Installing the packages of $(filter-out -r,$(1)), output in var/log/pip.log ..." \
	&& $(call logged,pip,$(BIN)/python -m pip install --disable-pip-version-check $(1))

# Some container images set this variable, and then every process would compile the whole project.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run test lint tools bench chaos screenshots observatory sbom lock ready venv

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: ready ## run the demo: one export end to end, on a temporary stack
	@$(BIN)/python -m dev.demo

run: ready ## run the site with all its services; PORT=8001 for another port
	@$(BIN)/python -m dev.run

test: ready ## run all tests: on SQLite, in a browser, on PostgreSQL
	$(BIN)/python -m pytest -n auto --maxschedchunk 1
	$(BIN)/python -m pytest -n auto --maxschedchunk 1 --database postgres

lint: ready ## check code, types, migrations, deployment, Dockerfile, templates, translations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml --severity-level medium \
		api benchmarks blog dev exports imports microblog staff tasks
	DEBUG=true $(BIN)/mypy .
	DEBUG=true $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m dev.check_deploy
	$(BIN)/python -m dev.check_pins
	$(BIN)/python -m dev.check_upgrades
	$(BIN)/hadolint Dockerfile
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python -m dev.check_translations

tools: ## install system packages for the tests: Chromium, gettext, nginx, promtool ...
	@sh dev/tools.sh

bench: ready .venv/.bench-installed ## measure speed and memory against their goals, in ten minutes
	@$(BIN)/python -m benchmarks

chaos: ready ## inject faults on both databases; CHAOS_KILLS=300 for a long run
	$(BIN)/python -m pytest -m chaos
	$(BIN)/python -m pytest -m chaos --database postgres
	@$(BIN)/python -m dev.chaos

screenshots: ready ## save every page in two widths, light and dark, to var/screenshots/
	@$(BIN)/python -m dev.screenshots

observatory: ready ## run Mozilla Observatory against the site; needs Node.js and npm
	@$(BIN)/python -m dev.observatory

sbom: ready ## write the packages and versions that run to var/sbom.json (CycloneDX)
	@mkdir -p var
	@$(BIN)/cyclonedx-py requirements --output-reproducible --output-file var/sbom.json \
		requirements.txt
	@echo "Saved to var/sbom.json"

lock: ready ## pin all versions for every Python: requirements*.in -> requirements*.txt
	$(LOCK) --output-file requirements.txt requirements.in
	$(LOCK) --output-file requirements-dev.txt requirements-dev.in
	$(LOCK) --output-file requirements-bench.txt requirements-bench.in

ready: .venv/.installed .env $(MO)

.venv/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import platform, sys; sys.version_info >= (3, 11) or sys.exit( \
		"Found Python " + platform.python_version() + "; Microblog needs 3.11 or newer. " \
		"Example: make PYTHON=python3.12 demo")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory venv
	@$(call install,-r requirements.txt -r requirements-dev.txt)
	@touch $@

# Debian without python3-venv leaves a .venv without pip, so a half-made one is made anew.
venv:
	@echo "Creating the virtual environment .venv ..."
	@rm -rf .venv
	@$(call logged,venv,$(PYTHON) -m venv .venv) || { rm -rf .venv; \
		echo "On Debian and Ubuntu, install the package python3-venv, and run make again." >&2; \
		exit 1; }

.venv/.bench-installed: requirements-bench.txt .venv/.installed
	@$(call install,-r requirements-bench.txt)
	@touch $@

.env:
	@echo "Creating .env with DEBUG and a new SECRET_KEY ..."
	@umask 077 && key="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
		&& printf 'DEBUG=true\nSECRET_KEY=%s\n' "$$key" > $@

%.mo: %.po | .venv/.installed
	@echo "Compiling $< ..."
	@$(BIN)/python -m babel.messages.frontend --quiet compile --input-file $< --output-file $@
