# Two commands are enough: `make lab` and `make test`. Each sets up what it needs; the second call sets up nothing again.

VENV ?= .venv
# extra flags for JupyterLab, e.g. make lab LAB_ARGS="--no-browser --port 8899"
LAB_ARGS ?=
python = $(VENV)/bin/python

.PHONY: help lab test setup data lint check notebooks format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-17s%s\n", $$1, $$2 }'

lab: setup data ## set up what is missing and open JupyterLab on the notebooks
	@$(python) tools/lab.py $(LAB_ARGS)

test: setup data lint ## set up what is missing and run everything that continuous integration runs
	$(python) -m pytest tests
	$(python) -m pytest --nbval notebooks/

setup: ## create .venv and install into it
	@sh tools/setup.sh $(VENV)

data: setup ## bring CIFAR-10 into the cache
	@$(python) -m mp3lib data fetch || \
		echo "Without CIFAR-10 the notebooks use the embedded scenes."

lint: setup ## ruff: rules and format, notebooks included
	@$(python) -m ruff check . || { echo "Some of it mends itself: $(python) -m ruff check --fix ."; exit 1; }
	@$(python) -m ruff format --check . || { echo "To format: make format"; exit 1; }

format: setup ## write every file in the format that lint asks for
	@$(python) -m ruff format .

check: setup lint ## lint and the fast tests, in under a minute
	$(python) -m pytest tests -m "not slow" -q

notebooks: setup data ## run every notebook from top to bottom and store its outputs
	$(python) tools/execute.py notebooks/*.ipynb

clean: ## remove .venv and everything made by running (the data cache stays: python -m mp3lib data clear)
	rm -rf .venv .pytest_cache .ruff_cache build mp3lib.egg-info tests/shots
	find . \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -print | while IFS= read -r folder; do rm -rf "$$folder"; done
