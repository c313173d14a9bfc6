# Two commands are enough: `make lab` and `make test`. Each sets up what it needs; the second call sets up nothing again.

VENV ?= .venv
# extra flags for JupyterLab, e.g. make lab LAB_ARGS="--no-browser --port 8899"
LAB_ARGS ?=
# which studies to train (none: all), and flags of the benchmark, e.g. make bench BENCH_ARGS="--rounds 9"
STUDIES ?=
BENCH_ARGS ?=
# how many tests run at once, each of a file or a notebook of its own (conftest.py gives each one thread)
WORKERS ?= auto
python = $(VENV)/bin/python
pytest = $(python) -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile

.PHONY: help lab test setup data lint check notebooks site train bench format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-17s%s\n", $$1, $$2 }'

lab: setup data ## set up what is missing and open JupyterLab on the notebooks
	@$(python) tools/lab.py $(LAB_ARGS)

test: setup data lint ## set up what is missing and run everything that continuous integration runs
	@$(python) tools/browser.py --install || true # without one the tests in a browser are left out, and fail in CI
	$(pytest) tests
	$(pytest) --nbval notebooks/

setup: ## create .venv and install into it
	@sh tools/setup.sh $(VENV)

data: setup ## bring CIFAR-10 into the cache
	@$(python) -m mp3lib data fetch || \
		echo "Without CIFAR-10 the notebooks use the embedded scenes."

lint: setup ## ruff: rules and format, notebooks included
	@$(python) -m ruff check . || { echo "Some of it mends itself: $(python) -m ruff check --fix ."; exit 1; }
	@$(python) -m ruff format --check . || { echo "To format: make format"; exit 1; }

train: setup data ## train what the tables show; goes on where it was stopped (hours; tools/studies.py --list)
	$(python) tools/studies.py $(STUDIES)

bench: setup data ## measure training speed beside vit_pytorch.mp3, and how fast the sliders are; on a quiet machine
	$(python) benchmarks/throughput.py $(BENCH_ARGS)
	$(python) benchmarks/widgets.py

format: setup ## write every file in the format that lint asks for
	@$(python) -m ruff format .

check: setup lint ## lint and the fast tests, in about two minutes
	$(pytest) tests -m "not slow" -q

notebooks: setup data ## run every notebook from top to bottom and store its outputs
	$(python) tools/execute.py notebooks/*.ipynb

site: setup ## build the static site of notebooks and reference: site/_build/html/index.html
	@$(python) site/build.py

clean: ## remove .venv and everything made by running (the data cache stays: python -m mp3lib data clear)
	rm -rf .venv .pytest_cache .ruff_cache build mp3lib.egg-info tests/shots site/_build
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -print | while IFS= read -r folder; do rm -rf "$$folder"; done
