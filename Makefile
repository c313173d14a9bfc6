# Two commands are enough: `make lab` and `make test`. Each sets up what it needs; the second call sets up nothing again.
# tools/setup.py lists their steps, and does the same on systems without make: python tools/setup.py lab

VENV ?= .venv
# extra flags for JupyterLab, e.g. make lab LAB_ARGS="--no-browser --port 8899"
LAB_ARGS ?=
# which studies to train (none: all), and flags of the benchmark, e.g. make bench BENCH_ARGS="--rounds 9"
STUDIES ?=
BENCH_ARGS ?=
# how many tests run at once, each of a file or a notebook of its own (conftest.py gives each one thread)
WORKERS ?= auto
export VENV WORKERS
python = $(VENV)/bin/python
# PYTHON names the interpreter to make the environment with, e.g. make setup PYTHON=python3.12
steps = $(or $(PYTHON),python3) tools/setup.py

.PHONY: help lab test setup data lint check notebooks site train bench format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-17s%s\n", $$1, $$2 }'

lab: ## set up what is missing and open JupyterLab on the notebooks
	@$(steps) lab $(LAB_ARGS)

test: ## set up what is missing and run everything that continuous integration runs
	@$(steps) test

setup: ## create .venv and install into it
	@$(steps) setup

data: ## bring CIFAR-10 into the cache
	@$(steps) data

lint: ## ruff: rules and format, notebooks included
	@$(steps) lint

check: ## lint and the fast tests, in about ten minutes on two cores
	@$(steps) check

train: setup data ## train what the tables show; goes on where it was stopped (hours; python -m studies train --list)
	$(python) -m studies train $(STUDIES)

bench: setup data ## measure speed: training, sliders, the live page, and reading pictures; on a quiet machine
	$(python) benchmarks/throughput.py $(BENCH_ARGS)
	$(python) benchmarks/widgets.py
	$(python) benchmarks/live.py --out results/benchmarks/live.json
	$(python) benchmarks/streaming.py --out results/benchmarks/streaming.json

format: setup ## write every file in the format that lint asks for
	@$(python) -m ruff format .

notebooks: setup data ## run every notebook from top to bottom and store its outputs
	$(python) tools/execute.py notebooks/*.ipynb

site: setup ## build the static site of notebooks and reference: site/_build/html/index.html
	@$(python) site/build.py

clean: ## remove .venv and everything made by running (the data cache stays: python -m mp3lib data clear)
	rm -rf .venv .pytest_cache .ruff_cache build mp3lib.egg-info tests/shots site/_build
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -print | while IFS= read -r folder; do rm -rf "$$folder"; done
