# Two commands do all the set-up: `make demo` and `make test`.
# Another Python: make PYTHON=python3.12 demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test suite lint docs bench real-smoke real check-python clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.ok
	$(BIN)/faultlens demo

# Under six minutes on two quiet cores: types are checked while the first tests run.
test: $(VENV)/.ok-test
	$(MAKE) --no-print-directory -j 2 lint docs suite

suite: $(VENV)/.ok-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.ok-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation as a site, to be opened from disk: build/site/index.html.
docs: $(VENV)/.ok-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Needs FAULTLENS_REFERENCE_DATA; under eight minutes on two quiet cores.
bench: $(VENV)/.ok-test
	$(BIN)/python -W ignore benchmarks/engine.py
	$(BIN)/python benchmarks/performance.py

# Needs PyPI, for two real models of 0.1 and 0.3 GB, and 4 GB of memory; about half an hour.
real-smoke: $(VENV)/.ok-test
	$(BIN)/python -W ignore benchmarks/real_smoke.py --scratch .real-smoke
	$(BIN)/python benchmarks/real_models.py

# Needs PyPI and Debian's packages, by name, 8 GB of memory and 4 GB of disk; about two hours on two
# cores. Stopped, it goes on where it stopped; REAL=FOLDER names another place for all that it makes.
REAL ?= .real
REAL_STUDY := OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/real_study.py --scratch $(REAL)
real: $(VENV)/.ok-test
	$(REAL_STUDY) --steps text
	$(MAKE) --no-print-directory -j 2 real-SmolLM2-135M-Instruct real-gemma-3-270m
	$(BIN)/python -W ignore benchmarks/real_behaviours.py --model $(REAL)/SmolLM2-135M-Instruct \
	    --sae $(REAL)/dictionaries/SmolLM2-135M-Instruct --texts $(REAL)/texts.jsonl --scratch $(REAL)/behaviours
	$(BIN)/python benchmarks/real_models.py

real-%-Instruct real-gemma-%: $(VENV)/.ok-test
	$(REAL_STUDY) --models $(@:real-%=%)

check-python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python {v[0]}.{v[1]} is not supported: FaultLens needs 3.11, 3.12 or 3.13; name one with make PYTHON=python3.12 demo")'

$(BIN)/python: | check-python
	$(PYTHON) -m venv $(VENV)

# The stamps make a second call free; a changed dependency installs again.
$(VENV)/.ok: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing FaultLens and what it needs into $(VENV): a minute or two, about 2 GB."
	$(PIP) -e '.[fast]'
	@touch $@

$(VENV)/.ok-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing FaultLens with its test tools into $(VENV): a minute or two, about 2 GB."
	$(PIP) -e '.[test,fast]'
	@touch $(VENV)/.ok $@

clean:
	rm -rf $(VENV) build dist
