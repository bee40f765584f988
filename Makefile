# Everything a person does here. The first call makes .venv from requirements.lock, by hash.
#   make demo ARGS="--parcels 40"     the whole factory on this machine
#   make test ARGS="tests/core -x"    the tests
#   make fuzz ARGS=30                 new inputs for every decoder, for so many minutes
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check format bench sweep mutants fuzz screenshots

demo: $(INSTALLED)
	$(BIN)/parcelgate demo $(ARGS)

test: $(INSTALLED)
	.ci/system-packages
	$(BIN)/python -m pytest $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz $(or $(ARGS),5)

mutants: $(INSTALLED)
	$(BIN)/python -m tests.mutants $(ARGS)

sweep: $(INSTALLED)
	$(BIN)/parcelgate sweep $(or $(ARGS),--seeds 100)

bench: $(INSTALLED)
	$(BIN)/parcelgate bench $(or $(ARGS),plc)

screenshots: $(INSTALLED)
	.ci/system-packages
	$(BIN)/python -m tests.api.screenshots $(or $(ARGS),build/screenshots)

$(INSTALLED): requirements.lock pyproject.toml
	.ci/install $(PYTHON) $(VENV)
