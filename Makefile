# The front desk: `make demo`, `make test`, `make lint`. Each sets up what it needs first.
PYTHON ?= python3
BIN := .venv/bin

# pip says nothing while it unpacks; what is there by now is told meanwhile. The sleep writes nowhere, so that nobody waits for it.
TELLING = (while sleep 20 > /dev/null 2>&1; do echo "  still at it: $$(du -sm .venv | cut -f1) MB in .venv"; done) & teller=$$!; trap 'kill $$teller' EXIT;

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format constraints clean

help:
	@echo "make demo         install, build the demo project and open it in the browser"
	@echo "make serve        install and start Errata on your own projects"
	@echo "make test         run every test"
	@echo "make lint         check style, types and the borders between packages"
	@echo "make format       format the code"
	@echo "make constraints  write the installed versions to constraints.txt"

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Errata needs Python 3.11 or newer; $(PYTHON) is older. Try: make demo PYTHON=python3.12"; exit 1; }
	@echo "Making .venv, which keeps all of it in this folder"
	@$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing Errata and its libraries into .venv: about 1.5 GB to fetch and 2 GB unpacked, so some minutes the first time."
	@$(TELLING) $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing what the tests need beside it"
	@$(TELLING) $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/.installed
	@exec $(BIN)/errata demo

serve: .venv/.installed
	@exec $(BIN)/errata serve

test: .venv/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch is written without its local version (+cpu), so that any index can serve it.
constraints: .venv/.installed-dev
	@sed -n 1p constraints.txt > constraints.new
	@$(BIN)/python -m pip freeze --exclude-editable | sed 's/^\(torch==[^+]*\)+.*/\1/' >> constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
