# Everything a fresh machine needs is Python >= 3.11 and make. Targets install what they use
# into .venv, once.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
UV     := $(shell command -v uv 2>/dev/null)
export UV_PYTHON_DOWNLOADS := never

ifdef UV
INSTALL := uv pip install --quiet --python $(BIN)/python
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.PHONY: help demo test check bench docs drill flood simulate conformance torture mutants fuzz coverage messages screenshots clean

help:
	@echo "make demo    three linked companies work tickets on this machine (ARGS='--once --json')"
	@echo "make test    the tests, on SQLite and on PostgreSQL where one answers (the slow: ARGS='-m slow')"
	@echo "make check   format, lint, types, imports"
	@echo "make bench   speed against the limits of this machine (ARGS='--short --json')"
	@echo "make flood   what good partners notice while somebody floods a node (ARGS='--seconds 6')"
	@echo "make simulate SEEDS=500   networks of nodes under faults, one seed a run"
	@echo "make drill DRILLS=1   two real nodes: backup under load, loss, restore (ARGS='--database both')"
	@echo "make conformance   the protocol's suite against our node and the minimal peer"
	@echo "make torture   real processes killed, cut off and starved (ARGS='--short')"
	@echo "make fuzz SECONDS=60   coverage-guided fuzzing of every reader and of the door to peers"
	@echo "make coverage   branches the tests take of protocol, exchange, door and permissions"
	@echo "make mutants   plant known bugs one by one: which test finds each (ARGS='--only 02 17')"
	@echo "make docs    generate the reference pages"
	@echo "make screenshots   pictures of every screen of the console (ARGS='--only partner')"
	@echo "make messages   bring the Russian catalogue to what the program says"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
ifdef UV
	@uv venv --quiet --python $(PYTHON) $(VENV)
else
	@$(PYTHON) -m venv $(VENV)
endif

$(VENV)/.core: $(BIN)/python pyproject.toml hatch_build.py $(wildcard hub/locale/*/LC_MESSAGES/*.po)
	@echo "Installing into $(VENV) …" >&2
	@$(INSTALL) -e . >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@$(INSTALL) -e ".[postgres,dev]" >&2
	@touch $@

demo: $(VENV)/.core
	@$(BIN)/hub demo $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not long" $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.dev
	@$(BIN)/python -m tools.bench $(ARGS)

simulate: $(VENV)/.dev
	@$(BIN)/python -m tests.simulation.run --seeds $(or $(SEEDS),100) $(ARGS)

flood: $(VENV)/.dev
	@$(BIN)/python -m tools.flood $(ARGS)

drill: $(VENV)/.dev
	@$(BIN)/python -m tools.restore_drill --drills $(or $(DRILLS),1) $(ARGS)

conformance: $(VENV)/.dev
	@$(BIN)/python -m tests.conformance $(ARGS)

torture: $(VENV)/.dev
	@$(BIN)/python -m tools.torture $(ARGS)

$(VENV)/.fuzz: $(VENV)/.dev
	@$(INSTALL) -e ".[fuzz]" >&2
	@touch $@

fuzz: $(VENV)/.fuzz
	@$(BIN)/python -m tools.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

coverage: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not long" --cov --cov-report= $(ARGS)
	@mkdir -p build
	@$(BIN)/python -m coverage json -q -o build/coverage.json
	@$(BIN)/python -m tools.coverage_gate build/coverage.json

mutants: $(VENV)/.dev
	@$(BIN)/python -m tools.mutants $(ARGS)

docs: $(VENV)/.dev
	@$(BIN)/python -m tools.payload_docs
	@$(BIN)/python -m tools.attack_docs
	@$(BIN)/python -m tools.state_diagram
	@$(BIN)/python -m tools.mail_attacks

messages: $(VENV)/.dev
	@$(BIN)/python -m tools.messages $(ARGS)

screenshots: $(VENV)/.dev
	@$(BIN)/python -m tools.screenshots $(ARGS)
	@$(BIN)/python -m tools.tutorial

clean:
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
