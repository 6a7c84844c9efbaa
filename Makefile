# Everything works on a fresh machine that has Python 3.11 or later and make.
# Written for GNU make 3.81, which macOS has.

PYTHON ?= python3
EXTRAS ?= dev
ARGS ?=
# Compiling is most of the suite, and one process compiles on one core.
JOBS ?= 2

BIN := .venv/bin
INSTALLED := .venv/installed
# A worker that crashes fails the run: where xdist replaces it, it waits forever.
WORKERS := --numprocesses $(JOBS) --max-worker-restart 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help compare test pages check format notebook clean .venv

help:
	@echo "make compare   run the recall comparison, minutes on 2 cores"
	@echo "make test      run the tests; ARGS='-k name' chooses some of them"
	@echo "make pages     build and run every page of experiments/"
	@echo "make check     formatting, lint, import floors and types"
	@echo "make format    format the code and mend what lint can"
	@echo "make notebook  run the notebooks again and keep their outputs"
	@echo "make .venv     only make the environment"
	@echo "make clean     remove the environment and caches, keep results/"
	@echo
	@echo "PYTHON=python3.12 chooses the Python of the environment,"
	@echo "EXTRAS=dev,cuda13 what is installed (setup.cfg lists the extras)."

compare: .venv
	$(BIN)/python -m experiments run recall --scale laptop $(ARGS)

test: .venv
	$(BIN)/python -m pytest $(WORKERS) --dist loadfile $(ARGS)

pages: .venv
	$(BIN)/python -m pytest $(WORKERS) -m pages $(ARGS) tests/experiments

check: .venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

format: .venv
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

notebook: .venv
	$(BIN)/jupyter-execute --inplace docs/*.ipynb

clean:
	rm -rf .venv .cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew when it is missing or older than what it is made
# from. The stamp comes last, so an install that fails leaves none behind.
.venv: $(INSTALLED)

$(INSTALLED): setup.cfg constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is missing or older than Python 3.11;" \
	    "choose another with PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@
