# make demo    the moving board, with an embedded gateway and scripted agents
# make test    the tests (ARGS="-k words" and the like go to pytest; WORKERS=0 for one after the other)
# make check   ruff, mypy, and the rules of the house
# make bench   figures, no pass or fail
# make real    Node and a real OpenClaw gateway in .real/, for the tests that are marked "real"
# make pictures  the README's pictures, drawn by the app
# make clean   removes what was built (.venv and .real stay; make distclean removes these too)

PYTHON ?= python3
WORKERS ?= 4
BIN := .venv/bin
PIP := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip --quiet --disable-pip-version-check

NODE_VERSION := 26.10.0
OPENCLAW_VERSION := 2026.9.6
REAL_STAMP := .real/.ready-$(NODE_VERSION)-$(OPENCLAW_VERSION)

.PHONY: help demo test check bench real pictures freeze clean distclean
.DEFAULT_GOAL := help

help:
	@sed -n '/^# make/s/^# //p' Makefile

demo: .venv/.ready
	@$(BIN)/ccp demo

test: .venv/.ready-dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: .venv/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house

bench: .venv/.ready-dev
	@$(BIN)/python -m tests.bench

real: $(REAL_STAMP)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "ccp needs Python 3.11 or newer; \"$(PYTHON)\" is $$($(PYTHON) --version 2>/dev/null || echo missing)." >&2; \
		echo "Install one, or name one you have: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python can't make virtual environments: its venv package is missing." >&2; \
		echo "On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv …" >&2
	@$(PYTHON) -m venv .venv

.venv/.ready: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing ccp and what it needs into .venv …" >&2
	@$(PIP) install --editable .
	@touch $@

.venv/.ready-dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing ccp and what its tests need into .venv …" >&2
	@$(PIP) install --editable '.[dev]'
	@touch .venv/.ready $@

# Node comes first and on PATH: OpenClaw's own install step refuses an older one.
$(REAL_STAMP):
	@command -v npm >/dev/null || { \
		echo "npm is missing. On Debian and Ubuntu: sudo apt-get install npm" >&2; exit 1; }
	@echo "Installing Node $(NODE_VERSION) and OpenClaw $(OPENCLAW_VERSION) into .real (about a minute, 800 MB) …" >&2
	@mkdir -p .real
	@[ -f .real/package.json ] || echo '{"private": true}' > .real/package.json
	@cd .real && npm install --no-audit --no-fund --loglevel=error node@$(NODE_VERSION)
	@cd .real && PATH="$$PWD/node_modules/.bin:$$PATH" \
		npm install --no-audit --no-fund --loglevel=error openclaw@$(OPENCLAW_VERSION)
	@.real/node_modules/.bin/node --version
	@touch $@

pictures: .venv/.ready-dev
	@$(BIN)/python -m tests.support.pictures

freeze: .venv/.ready-dev
	@{ sed -n 1p constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > constraints.new
	@mv constraints.new constraints.txt

clean:
	@rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis snapshot_report.html
	@find ccp_tui screens incus tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	@rm -rf .venv .real
