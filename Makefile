# Every target works in an environment that is made here, from Python 3.11 or newer and pip alone.
#
#   make demo     train on handwritten digits; stop it, run it again, and it goes on where it was
#   make test     what has to hold before a change is merged: lint, types, examples, tests
#   make test-faults   kill it 200 times, damage every byte, fill the disk, save for half an hour (SOAK seconds)
#   make bench    time this project beside bare jax.jit and TensorFlow
#   make bench-checkpoints   time saving and restoring beside TensorFlow's Saver and Orbax
#   make bench-graphs   time building a graph of 10,000 operations and its first run beside TensorFlow
#   make oracle   have the real TensorFlows read, restore and run what this project writes, and the reverse
#   make format   rewrite the files as `make test` wants them
#   make clean    remove the environments and the caches
#
# DEMO, TEST and BENCH add arguments:     make demo DEMO="--steps 500 --fresh"
# PYTHON chooses another interpreter:     make test PYTHON=python3.13

ifdef PYTHON
  VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
else
  PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
      $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
  VENV := .venv
endif
ifeq ($(PYTHON),)
  $(error Python 3.11 or newer is needed and none was found; name one: make PYTHON=/path/to/python)
endif

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check -qq

.PHONY: demo test lint types examples pytest test-faults bench bench-checkpoints bench-graphs oracle format clean

demo: $(VENV)/.examples
	@$(RUN) examples/digits.py $(DEMO)

# pytest comes last, so that its counts are the last line.
test: lint types examples pytest

lint: $(VENV)/.test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.test
	$(RUN) -m mypy

# Each example has to train from nothing and to end well.
examples: $(VENV)/.test
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && for example in examples/*.py; do \
	    echo "$(RUN) $$example" && \
	    $(RUN) $$example --checkpoint-dir "$$scratch/$$(basename $$example .py)" || exit 1; done

pytest: $(VENV)/.test
	$(RUN) -m pytest --numprocesses auto $(TEST)

SOAK := 1800
test-faults: $(VENV)/.test
	MONITORED_SOAK_SECS=$(SOAK) $(RUN) -m pytest -m faults $(TEST)

bench: $(VENV)/.base
	@$(RUN) benchmarks/run.py $(BENCH)

bench-checkpoints: $(VENV)/.test
	@$(RUN) benchmarks/checkpoints.py $(BENCH)

bench-graphs: $(VENV)/.base
	@$(RUN) benchmarks/graphs.py $(BENCH)

# TensorFlow 1.15 needs a Python 3.7; without one it is passed over with a line that says so.
oracle: $(VENV)/.test
	@failed=0; for target in tf1 tf2; do \
	    python=$$($(RUN) benchmarks/environments.py $$target) || continue; \
	    for check in tests/oracle/check_*.py; do \
	        echo "$$check $$target"; $(RUN) $$check $$python || failed=1; done; done; exit $$failed

format: $(VENV)/.test
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf .venv* .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The environment is made anew when pyproject.toml changes; then each target adds what it needs.
# The stamps are written last, so that an interrupted installation is done again.
$(VENV)/.made: pyproject.toml
	@echo "Making $(VENV) with $(PYTHON); this takes a minute or two, once."
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.base: $(VENV)/.made
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.examples $(VENV)/.test: $(VENV)/.%: $(VENV)/.made
	@$(PIP) install --editable '.[$*]'
	@touch $@
