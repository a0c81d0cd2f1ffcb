# What a contributor runs. `make` lists it; ARCHITECTURE.md says where things are.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check coverage random matrix demo bench lock pin-images install format

export UV_PYTHON_DOWNLOADS := never
# Where the system keeps certificate authorities, its list counts: it knows a company's own, uv's built-in one does not.
export UV_SYSTEM_CERTS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),true,false)

# Tests start hundreds of processes, each of which would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

UV := $(shell command -v uv || echo .tools/uv/bin/uv)
BIN := .venv/bin
DISTRIBUTIONS := shared auth-server mcp-server
NODE_PACKAGES := $(patsubst %,tests/%/node_modules/.installed,conformance judges bench emulators)
# mypy uses one core; the tests use what it leaves.
SIDE_BY_SIDE := --no-print-directory --jobs=2

##@ Using it

run: .venv/.installed .venv-emulator/.installed ## Start an embedded DynamoDB with demo data and both services; Ctrl-C stops them
	@exec $(BIN)/python -m deploy.local.run

demo: .venv/.installed ## Against a running pair: print each HTTP exchange from discovery to revocation
	@exec $(BIN)/python -m deploy.local.demo

##@ Working on it

check: .venv/.installed ## Format, lint, types, architecture and the tests that are not slow, in about a minute
	@$(MAKE) $(SIDE_BY_SIDE) lint quick-tests

coverage: .venv/.installed ## How much of the lines and branches the tests that are not slow reach
	$(BIN)/pytest -q -n auto -m "not slow" --cov --cov-report=
	@for package in auth_server mcp_server shared_kernel; do printf '%-14s %s %% of lines and branches\n' $$package \
	    "$$($(BIN)/coverage report --format=total --include="*/src/$$package/*")"; done

test: .venv/.installed .venv-emulator/.installed $(NODE_PACKAGES) programs ## Every test; installs what is missing or names the command
	@$(MAKE) $(SIDE_BY_SIDE) lint quick-tests
	$(BIN)/pytest -q -n 2 --dist loadgroup --no-loadscope-reorder -m slow

random: .venv/.installed ## Ask the SQL engine random statements that no test asks (STATEMENTS=10000 · SEED=1000 · ONE_WAY=1: each in one way)
	@$(BIN)/python -m tests.mcp_server.engine.random_run --statements $(or $(STATEMENTS),10000) \
	    --first-seed $(or $(SEED),1000) $(if $(ONE_WAY),--one-way)

matrix: .venv/.installed .venv-emulator/.installed tests/emulators/node_modules/.installed ## Read each query of TPC-H under every setting, over both emulators
	TPCH_MATRIX=1 $(BIN)/pytest -q tests/tpch/test_matrix.py

bench: .venv/.installed tests/bench/node_modules/.installed tests/emulators/node_modules/.installed programs ## Measure both services beside their peers (ROWS=token,soak · QUICK=1 · RECORD=1)
	@$(BIN)/python -m tests.bench --rows "$(ROWS)" $(if $(QUICK),--quick) $(if $(RECORD),--record)
	@$(if $(ROWS),,$(BIN)/python -m tests.bench.estimates)
	@$(if $(ROWS)$(QUICK),,$(BIN)/python -m tests.bench.large $(if $(RECORD),--record))

format: .venv/.installed ## Rewrite the code in the house format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: | $(UV) ## Recompile the lock files (UPGRADE=1 takes newer versions)
	@sh deploy/bootstrap/compile-locks "$(UV)" $(if $(UPGRADE),--upgrade)

pin-images: ## Pin the base image of the Dockerfiles by its digest (needs docker)
	@sh deploy/bootstrap/pin-images

install: .venv/.installed .venv-emulator/.installed ## Only set up the environments

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	     /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: lint quick-tests programs
lint: .venv/.installed
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

quick-tests: .venv/.installed
	$(BIN)/pytest -q -n auto -m "not slow"

programs:
	@sh deploy/bootstrap/install-test-programs

# Environments: each is brought up to date when its lock, or a distribution's metadata, is newer.

.venv/.installed: requirements-dev.lock $(DISTRIBUTIONS:%=%/pyproject.toml) | $(UV)
	@echo "Installing the locked environment into .venv ..."
	@python=$$(sh deploy/bootstrap/find-python) && $(UV) venv --quiet --allow-existing --python "$$python" .venv
	@$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e ./%)
	@touch $@

.venv-emulator/.installed: deploy/emulator.lock | $(UV)
	@echo "Installing the DynamoDB emulator into .venv-emulator ..."
	@python=$$(sh deploy/bootstrap/find-python) && $(UV) venv --quiet --allow-existing --python "$$python" .venv-emulator
	@$(UV) pip sync --quiet --compile-bytecode --python .venv-emulator/bin/python --require-hashes deploy/emulator.lock
	@touch $@

$(NODE_PACKAGES): %/node_modules/.installed: %/package.json %/package-lock.json
	@sh deploy/bootstrap/install-node-packages "the Node.js packages of $*" $*
	@touch $@

.tools/uv/bin/uv: deploy/bootstrap/uv.lock
	@sh deploy/bootstrap/install-uv
	@touch $@
