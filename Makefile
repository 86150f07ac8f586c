# `make` alone prints what there is.  The virtual environment is .venv in this checkout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help setup system demo test lint bench docs check-readme clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## make .venv with everything for users and developers (fast when done)

$(VENV)/.installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

demo: setup ## train on spoken digits, export, profile here, show the table (demo/report.md)
	$(BIN)/edgernn demo -o demo

test: setup ## every test
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check-readme: setup ## the README's help texts and exit codes are those of the program
	$(BIN)/python -m pytest -q tests/test_readme.py

clean: ## remove .venv and what tools left behind
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo
