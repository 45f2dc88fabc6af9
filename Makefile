.DEFAULT_GOAL := help
.PHONY: help demo test check docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= outputs/demo
PYTEST_ARGS ?= -m "not slow"

export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/jax
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

help:
	@echo "make demo    simulate and deblend a few galaxies, and say where the pictures are"
	@echo "make test    run the tests (with PYTEST_ARGS= those that take long, too)"
	@echo "make check   lint, format, types, import order"
	@echo "make docs    build the documentation, notebooks executed"
	@echo "make clean   remove everything that make made"
	@echo "Another interpreter than python3: make PYTHON=python3.12 ..."

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "error: '$(PYTHON)' was not found; install Python 3.11 or later, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: jaxblend needs Python 3.11 or later, '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: '$(PYTHON)' has no venv module; install it (on Debian: the package python3-venv)" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# One stamp per set of extras: an install runs again only when the dependencies change.
$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$*]"
	@touch $@

demo: $(VENV)/installed
	@mkdir -p "$(DEMO_DIR)"
	$(BIN)/jaxblend demo --out "$(DEMO_DIR)"
	@echo "The demo's output is in $(abspath $(DEMO_DIR))"

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/installed-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -E -b html docs docs/_build/html
	@echo "The documentation is in $(CURDIR)/docs/_build/html/index.html"

clean:
	rm -rf $(VENV) .cache outputs docs/_build docs/jupyter_execute .pytest_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
