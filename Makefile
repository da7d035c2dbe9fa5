# The one door: everything a person or CI does here is a target of this file. `make help` lists them.
#
# Stamps in .venv say what is installed and built, so that a second call costs nothing. Python packages come from the
# extras of pyproject.toml. The extension has two builds, and the last one made is the one that is imported:
#   release  fat LTO, for demo, bench and wheel: minutes to build, and the only one worth measuring;
#   dev      our crates at opt-level 1 with overflow checks and debug assertions, dependencies at 2, for test and lint:
#            `cargo nextest` uses the same compiled dependencies, so that they are built once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where rustup puts cargo, for shells that have not read its profile.
export PATH := $(PATH):$(HOME)/.cargo/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Whatever environment the shell has active, maturin installs into ours.
export VIRTUAL_ENV := $(abspath $(VENV))
unexport CONDA_PREFIX PYTHONPATH PYTHONHOME

RUST := Cargo.toml Cargo.lock $(shell find rust -name target -prune -o \( -name '*.rs' -o -name Cargo.toml \) -print)
DEMO_DIR ?= demo
FUZZ_SECONDS ?= 600

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(VENV)/.core-release $(VENV)/.extra-demo $(VENV)/.extra-train ## install into .venv, draw some hundred articles, extract them, train a small model on them
	$(BIN)/biomedica demo $(DEMO_DIR) --train

.PHONY: test
test: test-rust test-python ## run every test but the slow ones

.PHONY: test-long
test-long: test-rust $(VENV)/.core-dev $(VENV)/.extra-dev ## run every test, the slow ones too
	$(BIN)/pytest -m 'slow or not slow' --timeout 900

.PHONY: test-rust
test-rust: need-cargo ## run the core crate's tests and its documentation's examples
	@# The bindings have no tests; named beside the core, they make it build the dependencies that they need too.
	@if cargo nextest --version >/dev/null 2>&1; \
	then echo cargo nextest run && cargo nextest run --locked -p biomedica -p biomedica-py; \
	else echo cargo test && cargo test --locked -p biomedica -p biomedica-py --lib --tests; fi
	cargo test --locked -p biomedica --doc

.PHONY: test-python
test-python: $(VENV)/.core-dev $(VENV)/.extra-dev ## run the Python tests and the examples of docstrings and README
	$(BIN)/pytest

.PHONY: test-gpu
test-gpu: $(VENV)/.core-dev $(VENV)/.extra-dev ## run the tests that need a CUDA GPU
	$(BIN)/pytest -m gpu --timeout 600

.PHONY: bench
bench: $(VENV)/.core-release $(VENV)/.extra-bench $(VENV)/.extra-demo ## measure against peers on this machine; BENCH='--help' lists options
	cargo bench --locked -p biomedica
	cargo build --locked --release -p biomedica --example floors
	$(BIN)/python benches/bench.py $(BENCH)

.PHONY: lint
lint: $(VENV)/.core-dev $(VENV)/.extra-dev ## check format, lints, types, stubs, documentation, the guide and the fuzz targets
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml biomedica._core
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps
	cd rust/fuzz && cargo check --locked

.PHONY: docs
docs: $(VENV)/.extra-docs ## build the guide into target/guide
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: fmt
fmt: need-cargo $(VENV)/.extra-dev ## format all code and fix what a linter can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	cargo fmt

.PHONY: wheel
wheel: need-cargo $(VENV)/.tools ## build the wheel and the source distribution into dist/
	$(BIN)/maturin build --release --locked --out dist
	$(BIN)/maturin sdist --out dist

.PHONY: fuzz
fuzz: need-cargo $(VENV)/.extra-demo ## fuzz each target for FUZZ_SECONDS=600 (needs cargo-fuzz)
	$(BIN)/python rust/fuzz/seeds.py
	for target in $$(RUSTC_BOOTSTRAP=1 cargo fuzz list --fuzz-dir rust/fuzz); do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir rust/fuzz "$$target" -- -max_total_time=$(FUZZ_SECONDS); \
	done

.PHONY: clean
clean: ## remove what was built, downloaded and drawn
	rm -rf $(VENV) target rust/fuzz/target dist $(DEMO_DIR) python/biomedica/_core*.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: need-cargo
need-cargo:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or later from https://rustup.rs, then run make again" >&2; exit 1; }

$(VENV)/.tools: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; name one with make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip 'maturin>=1.9,<2'
	touch $@

# What the library itself needs and one extra's packages, without building the project.
$(VENV)/.extra-%: $(VENV)/.tools
	@echo "installing the packages of extra $*"
	@$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		print(*p['dependencies'], *p['optional-dependencies']['$*'], sep='\n')" > $@.txt
	$(BIN)/python -m pip install --quiet -r $@.txt
	touch $@

$(VENV)/.core-release: $(VENV)/.tools $(RUST) | need-cargo
	rm -f $(VENV)/.core-*
	$(BIN)/maturin develop --release --locked
	touch $@

$(VENV)/.core-dev: $(VENV)/.tools $(RUST) | need-cargo
	rm -f $(VENV)/.core-*
	$(BIN)/maturin develop --locked
	touch $@
