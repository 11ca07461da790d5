# make run: the whole desk.  make test: the whole suite.  Nothing else is needed on a fresh machine.
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test proof bench lint requirements

help:
	@echo "make run           install, migrate, load the demo and serve the desk on http://127.0.0.1:$${PORT:-8000}"
	@echo "make test          the whole test suite, its services included"
	@echo "make proof         the promises, each tried and a row of a table; P=\"P01 P05.2\" for some, P=rest to go on, P=3/12 a share"
	@echo "make bench         the figures, each beside its peers; B=\"lists booking\" for some, SIZE=ci for a quick look"
	@echo "make lint          ruff, check and format"
	@echo "make requirements  lock requirements*.in again, with hashes (needs uv)"

# The environment is made anew only when the locked requirements change.
$(VENV)/installed: requirements.txt deploy/find-python.sh
	@python=$$(PYTHON="$(PYTHON)" sh deploy/find-python.sh) || exit 1; \
	echo "Installing with $$python ..."; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
		"$$python" -m venv --clear $(VENV); \
	fi && $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/installed-test: $(VENV)/installed requirements-test.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-test.txt
	@touch $@

run: $(VENV)/installed
	@TRADEOPS_DEMO=1 exec $(BIN)/python manage.py up --demo

test: $(VENV)/installed-test
	@exec $(BIN)/python -m tests

proof: $(VENV)/installed-test
	@exec $(BIN)/python -m tests.proof $(if $(MINUTES),--minutes $(MINUTES)) $(P)

bench: $(VENV)/installed-test
	@exec $(BIN)/python -m bench --size $(or $(SIZE),full) $(B)

lint: $(VENV)/installed-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

requirements:
	uv pip compile --universal --python-version 3.12 --generate-hashes --no-header requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.12 --generate-hashes --no-header requirements-sight.in -o requirements-sight.txt
	uv pip compile --universal --python-version 3.12 --generate-hashes --no-header requirements-test.in -o requirements-test.txt
	uv pip compile --universal --python-version 3.12 --generate-hashes --no-header bench/requirements.in -o bench/requirements.txt
	uv pip compile --universal --python-version 3.12 --generate-hashes --no-header bench/requirements-pnl.in -o bench/requirements-pnl.txt
