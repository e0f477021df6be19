# Needs only Python >= 3.11 (with venv) and make: everything else goes into .venv of this checkout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
TYPES := build/types

.PHONY: help setup demo test test-fast test-wheel test-nojit format lint types check clean

help:
	@echo "make demo   play a sample scan through the chain, live; results in out/"
	@echo "make test   run the whole test suite"
	@echo "make check  format, lint and types"
	@echo "make setup  only install, into $(VENV)"

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[view,report,dicom,metrics,test]'
	$(BIN)/perfline warm-up --all
	@touch $@

demo: $(INSTALLED)
	$(BIN)/perfline replay sample_raw/pcasl_epi_realistic.h5 --paced 20 --out out --report --overwrite

test: $(INSTALLED)
	$(BIN)/python -m pytest -q

test-fast: $(INSTALLED)
	$(BIN)/python -m pytest -q -m "not slow"

# the same tests against what a user installs: the wheel shadows the editable install
test-wheel: $(INSTALLED)
	rm -rf build/wheel build/lib build/site && mkdir -p build
	$(BIN)/python -m build --quiet --wheel --outdir build/wheel .
	$(BIN)/python -m pip install --quiet --no-deps --target build/site build/wheel/*.whl
	PYTHONPATH=$(CURDIR)/build/site PERFLINE_FROM=$(CURDIR)/build/site $(BIN)/python -m pytest -q -m "not slow" tests

# kernels as plain Python: index errors raise; only the small numerics, the rest would take hours
test-nojit: $(INSTALLED)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q -m "not slow and not compiled" tests/recon

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(INSTALLED)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .

# mypy can't follow an editable install with mapped folders: give it the tree under its import name
types: $(INSTALLED)
	@mkdir -p $(TYPES)/perfline
	@for part in recon gadgets config; do ln -sfn $(CURDIR)/$$part $(TYPES)/perfline/$$part; done
	MYPYPATH=$(TYPES) $(BIN)/mypy --explicit-package-bases -p perfline.recon -p perfline.gadgets

check: lint types

clean:
	rm -rf build dist out $(VENV) .pytest_cache .ruff_cache .mypy_cache *.egg-info
