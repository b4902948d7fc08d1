# Needs Python 3.11 or later (with venv) and make. Everything else is fetched by `make setup`, hash-checked,
# into .venv. Every target sets up what it needs and costs nothing where that is done.
#
#   make demo ARGS=--exit        arguments go to the program
#   make PYTHON=/path/to/python  another interpreter

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input -q
ARGS ?=

# Tests start some sixty processes of the product: each reads what the first one compiled.
unexport PYTHONDONTWRITEBYTECODE

# Stamps: what is set up, newer than what it was made from.
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
ASSETS := src/key2xs/console/static/vendor/.complete

LOCK := $(VENV)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long check format bench screenshots lock clean distclean

help: ## show this
	@echo "Key2XS: make TARGET [ARGS=...]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

setup: $(RUNTIME) $(DEV) $(ASSETS) ## environment with everything, and the browser files

demo: $(RUNTIME) $(ASSETS) ## one night shift in some five minutes, then a console (ARGS=--exit: no console)
	@$(PY) -m key2xs_demo $(ARGS)

test: $(DEV) $(ASSETS) ## all tests but the long ones, on two cores
	@$(PY) -m pytest -n 2 --dist worksteal $(ARGS)

test-long: $(DEV) $(ASSETS) ## all tests, properties with many examples
	@$(PY) -m pytest -n 2 --dist worksteal -m "" --hypothesis-profile=long $(ARGS)

check: $(DEV) ## lint, format, types, rooms, house rules, forbidden words, scorecard
	@$(PY) scripts/check.py $(ARGS)

format: $(DEV) ## put the code into form
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format --quiet .

bench: $(DEV) $(ASSETS) ## benchmarks, into build/bench/*.json (ARGS: names)
	@$(PY) -m benchmarks $(ARGS)

screenshots: $(DEV) $(ASSETS) ## pages of the demo, into docs/images/
	@$(PY) scripts/screenshots.py $(ARGS)

lock: $(DEV) ## write requirements/*.txt and package-lock.json anew
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) --group build -c requirements/runtime.txt -o requirements/build.txt
	$(LOCK) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) requirements/node.in -o requirements/node.txt
	$(PY) scripts/assets.py --lock

clean: ## remove what the tools made
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment and the browser files as well
	rm -rf $(VENV) src/key2xs/console/static/vendor tests/console/vendor

$(MADE):
	@sh scripts/make-venv.sh "$(PYTHON)" $(VENV)
	@touch $@

# The lock is installed as it stands; the package itself cannot be hash-checked, so it goes in alone after.
$(RUNTIME): $(MADE) requirements/runtime.txt requirements/build.txt pyproject.toml
	@echo "setting up: runtime packages"
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUNTIME) requirements/dev.txt
	@echo "setting up: packages for tests and checks"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(ASSETS): $(MADE) package.json package-lock.json scripts/assets.py
	@echo "setting up: browser files"
	@$(PY) scripts/assets.py
	@touch $@
