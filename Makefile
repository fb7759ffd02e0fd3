# SPDX-License-Identifier: Apache-2.0
# 'make demo' and 'make test' set up everything they need in .venv and run.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The training tests need PyTorch. TORCH= (empty) leaves it out, and they are skipped.
TORCH ?= torch==2.13.0
LEVEL ?= map11

# A sourced ROS 2 installation must not mix with the one in the environment.
unexport PYTHONPATH AMENT_PREFIX_PATH LD_LIBRARY_PATH RMW_IMPLEMENTATION \
	_ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: demo test quick lint docs soak fuzz performance jazzy clean

demo: $(VENV)/.demo
	$(BIN)/python -m demo.run --level $(LEVEL) --out demo_output

# Two tests at a time: many wait for a process, and what they share is made once.
WORKERS ?= 2
test: $(VENV)/.test lint docs
	COVERAGE_PROCESS_START=$(CURDIR)/setup.cfg $(BIN)/python -m pytest \
		--numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder --durations 20 \
		--cov --cov-config=setup.cfg --cov-report=term --cov-fail-under=90

# What runs in a minute: no processes, training, rendered worlds, large maps or data beside the checkout.
quick: $(VENV)/.test
	$(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist loadgroup --durations 20 \
		-m 'not processes and not training and not simulation and not data and not large'

# Two hours of the localizer on a looped bag; SOAK_SECONDS= shortens them.
SOAK_SECONDS ?= 7200
soak: $(VENV)/.test
	$(BIN)/python test/nodes/endurance/soak.py --seconds $(SOAK_SECONDS)

# This machine's tables in docs/performance.md, in the place of its older ones: half an hour.
performance: $(VENV)/.test
	$(BIN)/python -m tetra_vpr_ros.evaluation.benchmark --iterations 40 --update docs/performance.md

# Damaged input with fresh seeds, for FUZZ_SECONDS; what fails is written to runs/fuzz.
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.test
	cd test && $(abspath $(BIN))/python -m fuzz --seconds $(FUZZ_SECONDS)

# The node's tests on ROS 2 Jazzy, in an environment of its own; JAZZY_PYTHON= chooses the
# interpreter, JAZZY_TESTS= fewer tests.
JAZZY_VENV ?= $(VENV)-jazzy
JAZZY_PYTHON ?= $(PYTHON)
JAZZY_TESTS ?= test/nodes
jazzy: $(JAZZY_VENV)/.test
	$(JAZZY_VENV)/bin/python -m pytest -q -p no:cacheprovider $(JAZZY_TESTS)

$(JAZZY_VENV)/.test: setup.py requirements-ros-jazzy.txt
	$(JAZZY_PYTHON) -m venv $(JAZZY_VENV)
	$(JAZZY_VENV)/bin/python -m pip install -q --upgrade pip 'setuptools>=61,<80' wheel
	$(JAZZY_VENV)/bin/python -m pip install -q -e '.[demo,test,viewing]' -r requirements-ros-jazzy.txt
	touch $@

# What a recipe made before it failed is made again.
.DELETE_ON_ERROR:

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ament_flake8 --linelength 99 tetra_vpr_ros demo launch test setup.py
	$(BIN)/ament_pep257 tetra_vpr_ros demo launch setup.py
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Pages in docs/_build; a warning is an error.
docs: $(VENV)/.test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed: make PYTHON=/path/to/python3.10"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv is missing: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip 'setuptools>=61,<80' wheel

$(VENV)/.demo: $(BIN)/python setup.py requirements-ros.txt
	$(BIN)/python -m pip install -q -e '.[demo,viewing]' -r requirements-ros.txt
	touch $@

$(VENV)/.test: $(VENV)/.demo requirements-test.txt
	$(if $(TORCH),$(BIN)/python -m pip install -q $(TORCH))
	$(BIN)/python -m pip install -q -e '.[test]' -e '.[evaluation]' -e '.[docs]' -r requirements-test.txt \
		$(if $(TORCH),-e '.[training]' -e '.[dinov2]')
	# Ray comes late to new versions of Python: its test is skipped where there is none.
	$(BIN)/python -m pip install -q -e '.[ray]' || true
	touch $@

clean:
	rm -rf $(VENV) $(JAZZY_VENV) demo_output _vizdoom docs/_build docs/_generated build install log *.egg-info .coverage .coverage.*
