# `make` alone prints this help. Two commands matter: make demo, make test.

PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
JOBS ?= 2
ARGS ?=
BENCH ?=

# Programs are started by module: where an outer package is kept, its script lies outside .venv.
PY := .venv/bin/python
READY := .venv/.ready
# One thread a process: two test workers on two cores, and sums in the same order everywhere.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check fix bench teach soak lock clean

help:
	@echo "make setup   .venv/ with picdeed and everything it needs (demo and test call it)"
	@echo "make demo    the whole life of some pictures, in a few minutes, on any machine"
	@echo "make test    every test but those that need a GPU or hours"
	@echo "make check   lint, format, types, import layers, docs, licences of what is installed"
	@echo "make fix     what the linter and the formatter can put right themselves"
	@echo "make bench   the measurements in benchmarks/; BENCH=gate makes one of them"
	@echo "make teach   the pictures of docs/how-diffusion-works.md, drawn anew and signed"
	@echo "make soak    slow proofs; some download packages"
	@echo "make lock    asks for the newest versions and writes requirements.lock"
	@echo "make clean   removes caches and builds; .venv and registries stay"
	@echo
	@echo "PYTHON=python3.11      the Python that .venv is made with (3.11 or newer)"
	@echo "TORCH=torch==2.13.0    installed where there is no torch of 2.11 or newer"
	@echo "TORCH_INDEX=URL        a further package index, for instance PyTorch's CPU builds:"
	@echo "                       https://download.pytorch.org/whl/cpu"
	@echo "ARGS='-k gate'         passed on to pytest or to picdeed demo;  JOBS=2  test workers"

setup: $(READY)
	@echo "ready      .venv/bin/picdeed"

$(READY): pyproject.toml requirements.lock tools/setup.py
	@$(PYTHON) tools/setup.py --torch "$(TORCH)" --torch-index "$(TORCH_INDEX)"
	@touch $@

demo: $(READY)
	@.venv/bin/picdeed demo $(ARGS)

# A file's tests stay in one worker, so that what they share is made once.
test: $(READY)
	@$(PY) -m pytest -m "not gpu and not soak" -n $(JOBS) --dist loadfile \
	    --most-skipped 0.05 $(ARGS)

check: $(READY)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m pytest -q tests/test_architecture.py tests/test_style.py tests/test_docs.py \
	    tests/test_licenses.py

fix: $(READY)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

# They take minutes to hours, and most need pictures: which, each script says on its first lines.
bench: $(READY)
ifneq ($(BENCH),)
	@$(PY) benchmarks/$(BENCH).py $(ARGS)
else
	@for script in $$(grep -l __main__ benchmarks/*.py); do \
	    printf '%-14s %s\n' "$$(basename $$script .py)" "$$(sed -n '1s/"""//gp' $$script)"; done
	@echo
	@echo "make bench BENCH=gate    one of them;  ARGS='--help' tells what it takes"
endif

teach: $(READY)
	@$(PY) tools/teach.py $(ARGS)

soak: $(READY)
	@$(PY) -m pytest -m soak --hypothesis-profile soak $(ARGS)

lock:
	@$(PYTHON) tools/lock.py --torch "$(TORCH)" --torch-index "$(TORCH_INDEX)"

clean:
	@rm -rf build dist test-results .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path "./.venv/*" -prune -exec rm -rf {} +
	@echo "Caches and builds are gone. To start all over: rm -r .venv"
