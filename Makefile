# How this project is worked on. Each verb is enough by itself on a machine with Python 3.11 or newer.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# A stamp per set of extras: the second run installs nothing unless what it depends on has changed.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help demo test test-fast check format archives smoke bench kernel constraints openapi \
        train-block-corruption train-audio-artifacts install install-dev clean

help: ## Lists the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 26

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the demo needs into $(VENV) (once)"
	$(PIP) install --quiet --progress-bar on -c constraints.txt -e '.[local]'
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing everything, with the tools of development, into $(VENV) (once)"
	$(PIP) install --quiet --progress-bar on -c constraints.txt -e '.[all,dev]'
	@touch $@ $(RUN_STAMP)

install: $(RUN_STAMP) ## Installs what the demo needs

install-dev: $(DEV_STAMP) ## Installs everything, with the tools of development

demo: $(RUN_STAMP) ## Finds simulated defects in a film through a served endpoint
	$(BIN)/python -m defectscope.cli.demo

test: $(DEV_STAMP) ## Runs the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: $(DEV_STAMP) ## Runs the tests that take less than 5 s each
	$(BIN)/python -m pytest -m 'not slow and not browser'

check: $(DEV_STAMP) ## Lints, checks the format, and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(DEV_STAMP) ## Formats the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

archives: $(RUN_STAMP) ## Builds and smoke-tests every model archive into archives/
	$(BIN)/python sagemaker/build_archives.py

bench: $(DEV_STAMP) ## Measures speed against pure decoding, and memory, as ratios in one run
	$(BIN)/python benchmarks/throughput.py

kernel: ## Rebuilds the feature kernel where Debian's rustc is installed, and compares
	sh src/defectscope/features/build_kernel.sh

constraints: $(DEV_STAMP) ## Writes the installed versions to constraints.txt
	{ head -n 1 constraints.txt; $(PIP) freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

train-block-corruption: $(DEV_STAMP) ## Trains, evaluates and exports block_corruption
	$(BIN)/defectscope-train run block_corruption

train-audio-artifacts: $(DEV_STAMP) ## Trains, evaluates and exports audio_artifacts
	$(BIN)/defectscope-train run audio_artifacts

clean: ## Removes what the verbs have made, not the environment
	rm -rf archives demo runs build dist .pytest_cache .ruff_cache .hypothesis
