# What there is to run; `make` alone lists it.  A fresh machine needs Python 3.11, make and git.
# The environment .venv is made at the first use, with the versions in constraints.txt.

PYTHON ?= python3
BIN = .venv/bin
PIP_INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt

# A folder with data that is not part of the repository, for example: make acceptance SHARED=../shared
SHARED ?=
TOKENIZER = $(SHARED:%=%/tokenizer/bpe32k.json)

.DEFAULT_GOAL = help
.PHONY: help demo test check bench acceptance hunt docs clean

help:           ## list these targets
	@sed -n 's/^\([a-z]*\): .*## /make \1: /p' Makefile

demo: .venv/made ## encode a model to text, show it, decode it to the same bytes
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh build/demo

test: .venv/engines ## run every fixed sample, doctests included, warnings as errors
	$(BIN)/pytest -n 2

check: .venv/engines .venv/bench ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

bench: .venv/bench ## speed, as ratios to other carriers of ONNX models
	$(BIN)/python tests/benchmarks/bench.py

acceptance: .venv/engines .venv/bench ## the long comparison with other carriers; SHARED=folder adds lengths in tokens
	$(BIN)/pytest -n 2 -m acceptance -rs $(TOKENIZER:%=--tokenizer=%)
	@$(if $(SHARED)$(ONNXTEXT_SHARED),,echo "left out: lengths in tokens; SHARED=folder, where the folder has tokenizer/bpe32k.json, adds them")

hunt: .venv/engines ## look for new failures: a million mutated inputs, then the properties with many more examples
	$(BIN)/python tests/hunt_mutations.py
	$(BIN)/pytest -n 2 --hypothesis-profile=hunt tests

docs: .venv/docs ## the documentation as a site in build/site, links checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

clean:          ## remove what was built; .venv stays
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# ---- the environment: one stamp file for each set of packages

.venv/made: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v != (3, 11) and "Python 3.11 is needed, this is %d.%d: make PYTHON=python3.11" % v)'
	@echo "making .venv: the package and its tools"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(PIP_INSTALL) --editable . --group dev
	@touch $@

.venv/engines: .venv/made
	@echo "adding the engines that read the grammar file; one of them brings torch"
	$(PIP_INSTALL) --group engines
	@touch $@

.venv/bench: .venv/made
	@echo "adding what is measured against"
	$(PIP_INSTALL) --group bench
	@touch $@

.venv/docs: .venv/made
	@echo "adding the documentation generator"
	$(PIP_INSTALL) --group docs
	@touch $@
