# make app: set everything up and open the page. make test: set everything up and pass the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: app test quick sweep real lint lint-modules requirements constraints hosting measures tables audit screenshots clean

app: $(VENV)/.app
	$(BIN)/lmlab app

test: $(VENV)/.test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# The core's short tests, for while one works; what takes longest and the browser are left out.
LONG := visitors receipts receipts_made runs options jobs faults cli_generate cli_finetune notebook \
  sharing hostile hosting limits forms drifting features project
quick: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q -m "not browser and not slow and not real" \
	  $(LONG:%=--ignore=tests/test_%.py) --ignore=tests/ui

# Every causal architecture of the installed transformers, small: right or refused.
sweep: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m slow tests/test_architectures.py

# Real models, and llama.cpp where it is to be had: what is missing is said, and skipped.
# `make real BUILD=--build` compiles llama-cpp-python, once.
real: $(VENV)/.test
	$(BIN)/python -m tests.real $(BUILD)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m real tests/test_real.py tests/test_gguf_model.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	if command -v npm >/dev/null; then $(MAKE) lint-modules; fi

# The page's modules; the page itself needs no Node.
lint-modules: node_modules/.package-lock.json
	npm run --silent lint

node_modules/.package-lock.json: package.json
	npm ci --silent --no-audit --no-fund

requirements: $(VENV)/.app
	$(BIN)/python -m lmlab.deployment > requirements.txt

constraints: $(VENV)/.app
	$(BIN)/python -m lmlab.deployment constraints > constraints.txt

hosting: $(VENV)/.app
	$(BIN)/python -m tools.settings_table docs/hosting.md

tables: $(VENV)/.app
	$(BIN)/python -m tools.readme_tables README.md
	$(BIN)/python -m tools.origins_table docs/origins.md

measures: $(VENV)/.app
	$(BIN)/python -m tools.measures_table docs/measures.md

audit: $(VENV)/.app
	$(BIN)/python -m tools.audit constraints.txt

screenshots: $(VENV)/.test
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: pyproject.toml tests/browser.sh | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/browser.sh
	touch $@ $(VENV)/.app
