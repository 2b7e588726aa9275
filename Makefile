# Every command that anyone needs. `make` alone lists them.
.POSIX:
.SILENT:
.PHONY: help quickstart quickstart-stop quickstart-remove environment engines clients \
	check test test-fast test-keystone bench docs clean

VENV = .venv
CLIENTS = .venv-clients
PYTHON = $(VENV)/bin/python
# Workers wait for engines and processes now and then: one more than two processors keep busy.
WORKERS = 3
PARALLEL = -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

help:
	sed -n 's/^## //p' Makefile

## make quickstart         a running PostgreSQL, ordered through the API, a moment from now
quickstart:
	scripts/environment $(VENV)
	scripts/engines postgresql
	$(PYTHON) scripts/quickstart.py

## make quickstart-stop    stop the service; instances and data stay
quickstart-stop:
	scripts/environment $(VENV)
	$(PYTHON) scripts/quickstart.py --stop

## make quickstart-remove  remove the service, its instances and all their data
quickstart-remove:
	scripts/environment $(VENV)
	$(PYTHON) scripts/quickstart.py --remove

environment:
	scripts/environment $(VENV) test

engines: environment
	scripts/engines

clients:
	scripts/clients $(CLIENTS)

## make check              format, lint, types, layers and shape
check: environment
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PYTHON) -m pytest -q -s -p no:cacheprovider tests/architecture
	$(PYTHON) scripts/documentation.py --check

## make test               check, then every test on real engines, with coverage held
test: environment engines check clients
	TROVE_OSC_VENV=$(CURDIR)/$(CLIENTS) $(PYTHON) -m pytest -m "not keystone" $(PARALLEL) \
		--cov --cov-report=json:coverage.json \
		-p tests.support.coverage_gate -p tests.support.required_engines \
		tests/unit tests/workflows tests/contracts tests/api tests/e2e

## make test-fast          what needs no engine: a minute or two
test-fast: environment
	$(PYTHON) -m pytest -q -m "not engine and not chaos and not keystone" $(PARALLEL) tests/unit tests/architecture tests/contracts

## make test-keystone      against a real Keystone
test-keystone: environment
	tests/keystone/run.sh

## make bench              every benchmark, as a table against its bar
bench: environment engines clients
	TROVE_OSC_VENV=$(CURDIR)/$(CLIENTS) $(PYTHON) -m benchmarks

## make docs               write the generated parts of the documentation anew
docs: environment
	$(PYTHON) scripts/documentation.py

## make clean              remove what was built here; not the quickstart's data
clean:
	rm -rf $(VENV) $(CLIENTS) build dist src/*.egg-info .coverage .coverage.* coverage.json \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests benchmarks scripts -name __pycache__ -prune -exec rm -rf {} +
