# The two commands are `make run` and `make test`. Python 3.11+, git and make are all that must be there.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
NPM := ../../$(PY) -m tools.npm
export PYTHONPATH := $(CURDIR)
ARGS ?=
PYTEST := $(PY) -m pytest -m "not soak" -ra --durations=12
# Real audio is sent and listened to here: by parts of the product, and by all of it, where a test has the machine alone.
WIRES := tests/telephony tests/demo tests/processes
CALLS := tests/system $(addprefix tests/browser/test_,inbound.py flow_try.py reload.py two_agents.py)

.PHONY: run test check bench soak promises clean deps dev-deps ui peers smsc format

run: deps ui
	@$(PY) -m callcenter.processes.runner $(ARGS)

# `check` has run tests/house. Each of two workers has services of its own (tests/conftest.py).
test: dev-deps peers check ui
	$(PYTEST) -n 2 --dist loadfile $(addprefix --ignore=,tests/house $(WIRES) $(CALLS))
	$(PYTEST) -n 2 --dist loadfile $(WIRES)
	$(PYTEST) $(CALLS)

check: dev-deps ui-deps
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PY) -m pytest tests/house
	cd web/ui && $(NPM) run --silent check && $(NPM) run --silent lint

bench: dev-deps peers
	$(PY) -m benchmarks

soak: dev-deps ui peers
	$(PY) -m pytest -m soak -s --timeout 3600

promises: dev-deps
	@$(PY) -m tools.promises

format: dev-deps
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

deps: $(VENV)/.deps
dev-deps: $(VENV)/.dev-deps

$(VENV)/bin/python:
	$(PYTHON) -m tools.venv $(VENV)

$(VENV)/.deps: $(VENV)/bin/python requirements.txt
	$(PY) -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev-deps: $(VENV)/.deps requirements-dev.txt
	$(PY) -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@

ui-deps: deps web/ui/node_modules/.installed
ui: deps
	@$(PY) -m tools.build_ui

web/ui/node_modules/.installed: web/ui/package-lock.json | $(VENV)/.deps
	cd web/ui && $(NPM) ci --no-audit --no-fund
	@touch $@

peers: smsc
	@$(PY) -m tools.peers

# An SMSC from npm that tests and benchmarks send to.
SMSC := tests/peers/smsc
smsc: deps $(SMSC)/node_modules/.installed

$(SMSC)/node_modules/.installed: $(SMSC)/package-lock.json | $(VENV)/.deps
	cd $(SMSC) && ../../../$(PY) -m tools.npm ci --no-audit --no-fund
	@touch $@

clean:
	rm -rf $(VENV) web/ui/node_modules web/ui/dist tests/peers/smsc/node_modules .mypy_cache .ruff_cache
