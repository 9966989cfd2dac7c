# Everything a newcomer needs: `make run`, `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
CODE   := app.py chalicelib fsl tests deploy scripts bench

.PHONY: help run demo serve test coverage simulate clients bench scale console console-test console-shots console-shots-check check static format types imports lint words docs package deploy remove cloud clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(READY) ## the server, the example's services, the example run before your eyes; then it keeps serving
	$(BIN)/fsl local --demo

demo: $(READY) ## the same, but ends when the example run has
	$(BIN)/fsl local --demo --once

serve: $(READY) ## the server alone, on http://127.0.0.1:8080
	$(BIN)/fsl local

test: $(READY) ## all tests
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests

coverage: $(READY) ## all tests, with the branches that they cover
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-report=term --cov-report=html:out/coverage tests

RUNS ?= 20000
SEED ?= 1

simulate: $(READY) ## faults drawn from seeds: make simulate RUNS=20000 SEED=1
	$(BIN)/python -m tests.simulation --runs $(RUNS) --seed $(SEED)

clients: $(READY) ## make clients with three generators, and complete the example with each
	$(BIN)/python -m tests.clients

PARTS ?=

bench: $(READY) ## measure everything beside its peers, into bench/RESULTS.md: make bench PARTS="engine price"
	$(BIN)/python -m bench $(PARTS)

scale: $(READY) ## what bounds runs per second on AWS, counted and simulated, into bench/SCALE.md
	$(BIN)/python -m bench.scale

console/node_modules/.ready: console/package.json console/package-lock.json
	cd console && npm ci --silent --no-audit --no-fund
	@touch $@

console: $(READY) console/node_modules/.ready ## build the console from console/ into chalicelib/console (needs Node)
	cd console && npm run --silent build
	$(BIN)/python -m scripts.console

console-test: $(READY) console/node_modules/.ready ## try the console in Chromium
	$(BIN)/python -m tests.console

console-shots: $(READY) console/node_modules/.ready ## make the reference pictures of the console's screens anew
	CONSOLE_RENEW=1 $(BIN)/python -m tests.console visual.mjs

console-shots-check: $(READY) console/node_modules/.ready ## compare the screens with them: same fonts, same Chromium
	$(BIN)/python -m tests.console visual.mjs

check: static test ## what must be green before anything lands

static: lint types imports words ## format, lint, types, import contracts, plain words

lint: $(READY)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

types: $(READY)
	$(BIN)/mypy $(CODE)

imports: $(READY)
	$(BIN)/lint-imports

format: $(READY) ## format the code
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

words: $(READY) ## count mannered words in comments, messages and documents
	$(BIN)/python -m scripts.words

docs: $(VENV)/.docs ## the documentation site in out/site, every link checked
	$(BIN)/python -m scripts.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "out/site/index.html"

$(VENV)/.docs: $(READY) requirements-docs.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

STAGE ?= dev

package: $(READY) ## both forms of a stage in out/STAGE: make package STAGE=dev
	$(BIN)/python -m deploy.package $(STAGE)

deploy: $(READY) ## a stage on AWS: make deploy STAGE=dev
	$(BIN)/python -m deploy.release $(STAGE)

remove: $(READY) ## delete the stack of a stage; its table and keys remain: make remove STAGE=dev
	@test "$(origin STAGE)" != file || { echo "say which stage: make remove STAGE=dev"; exit 2; }
	$(BIN)/python -m deploy.remove $(STAGE)

cloud: $(READY) ## deploy to an emulator of AWS, run the acceptance tests there, update under running runs, remove
	$(BIN)/python -m tests.cloud

clean: ## remove what was made, the local database included
	rm -rf $(VENV) .echoer .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(READY): requirements.txt requirements-traces.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Echoer needs Python 3.11 to 3.13; say which one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing packages into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
