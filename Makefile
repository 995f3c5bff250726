# Two commands do everything on a fresh machine: `make demo` and `make test`.
#
# Everything is installed into $(VENV) inside the checkout; the first run takes a few minutes, later ones seconds.
# Written for GNU make 3.81 and later, so that the one shipped with macOS will do.

VENV      ?= .venv
SERVE     ?= 1
DEMO_ARGS ?=
PYTEST_ARGS ?=
TEST_PROCESSES ?= 4
PIP_ARGS  ?=

BIN    := $(VENV)/bin
MIN_PYTHON := 3.11
CHECK_VERSION := import sys; sys.exit(sys.version_info < (3, 11))
CHECK_VENV    := import venv, ensurepip
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c '$(CHECK_VERSION)' 2>/dev/null && echo $$p && break; done)

# Which build of torch: `cpu` (small, every machine) or `cuda` (several GB, NVIDIA GPUs). What was chosen once is
# kept in $(VENV)/.torch, so that `make test` after `make demo TORCH=cuda` does not swap the build back.
INSTALLED_TORCH := $(shell cat $(VENV)/.torch 2>/dev/null)
ifeq ($(INSTALLED_TORCH),)
TORCH ?= cpu
else
TORCH ?= $(INSTALLED_TORCH)
endif
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

PIP := $(BIN)/python -m pip --disable-pip-version-check install $(shell [ -t 2 ] || echo -q) \
	--constraint constraints.txt $(PIP_ARGS)

.PHONY: help demo test coverage lint format audit settings setup setup-dev clean FORCE
.DEFAULT_GOAL := help

help: ## show this list
	@echo "Alla Prima: make TARGET [VARIABLE=value]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  TORCH=cpu|cuda   which build of torch to install (now: $(TORCH))"
	@echo "  SERVE=0          end 'make demo' after the contact sheet instead of serving the page"
	@echo "  PYTHON=...       which Python $(MIN_PYTHON)+ makes the environment; VENV=... where it lies (now: $(VENV))"
	@echo "  PIP_ARGS=...     more arguments for pip, such as --index-url; PYTEST_ARGS=... more for pytest"

demo: setup ## paint samples through the real queue, write out/demo.png, serve the page until Ctrl-C
	@$(BIN)/allaprima demo $(if $(filter 0 no off false,$(SERVE)),--no-serve) $(DEMO_ARGS)

# More processes than cores: while some wait for a server, others compute. tests/conftest.py gives each one thread.
test: setup-dev ## run all tests: real queue, real browser where one is found, a Telegram server on loopback
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope $(PYTEST_ARGS)

# Every server of the tests is measured, too, which takes a third more of their time.
coverage: setup-dev ## run all tests and print which lines they reach
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadscope --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

lint: setup-dev ## check format, lint and types
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/python -m mypy tools

format: setup-dev ## put the code into its usual form
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

audit: setup-dev ## look for published advisories on what is installed
	@$(PIP) 'pip-audit>=2.9'
	@$(BIN)/pip-audit --skip-editable

settings: setup ## put the table of settings into README.md
	@$(BIN)/python -c 'import pathlib; from worker.settings import TABLE_BEGIN as b, TABLE_END as e, markdown_table; \
		p = pathlib.Path("README.md"); before, _, rest = p.read_text("utf-8").partition(b); \
		p.write_text(before + b + "\n" + markdown_table() + "\n" + e + rest.partition(e)[2], "utf-8")'

setup: $(VENV)/.installed ## install the program into $(VENV)

setup-dev: $(VENV)/.installed-dev ## install the tools of the tests as well

clean: ## remove the environment, caches and out/; var/, where jobs and pictures live, stays
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache htmlcov .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The marker is written last: an interrupted set-up starts over instead of being taken for a finished one.
$(VENV)/.created:
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(CHECK_VERSION)' 2>/dev/null; then \
		echo "Alla Prima needs Python $(MIN_PYTHON) or newer: install one, or name it with 'make PYTHON=/path/to/python3'." >&2; \
		exit 2; fi
	@if ! $(PYTHON) -c '$(CHECK_VENV)' 2>/dev/null; then \
		echo "$(PYTHON) cannot make environments: install its venv module ('apt install python3-venv' on Debian and Ubuntu)." >&2; \
		exit 2; fi
	@echo "Making an environment in $(VENV) with $(PYTHON)."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# torch goes first. The CPU build is called $(TORCH_VERSION)+cpu on Linux and lives on an index of its own; the
# ordinary index offers the CUDA build under the plain number. So: take +cpu where pip is already set up to find it,
# else from PyTorch's index, else whatever this platform has (on macOS the plain one is the right one). The index
# that served is kept, because torchvision must come from the same place.
$(VENV)/.torch: $(VENV)/.created constraints.txt $(if $(filter $(TORCH),$(INSTALLED_TORCH)),,FORCE)
	@case "$(TORCH)" in cpu|cuda) ;; *) echo "TORCH must be cpu or cuda, not '$(TORCH)'." >&2; exit 2 ;; esac
	@echo "Installing torch $(TORCH_VERSION), $(TORCH) build."
	@rm -f $@ $(VENV)/.installed $(VENV)/.installed-dev; : > $(VENV)/.index
	@set -e; if [ "$(TORCH)" = cuda ]; then \
		$(PIP) "torch===$(TORCH_VERSION)"; \
	elif [ "$$(uname -s)" != Linux ]; then \
		$(PIP) "torch==$(TORCH_VERSION)"; \
	elif ! $(PIP) "torch==$(TORCH_VERSION)+cpu" 2>/dev/null; then \
		echo "--extra-index-url $(TORCH_CPU_INDEX)" > $(VENV)/.index; \
		if ! $(PIP) $$(cat $(VENV)/.index) "torch==$(TORCH_VERSION)+cpu"; then \
			echo "No CPU build of torch $(TORCH_VERSION) was found; taking the ordinary one, which may be several GB." >&2; \
			: > $(VENV)/.index; $(PIP) "torch==$(TORCH_VERSION)"; \
		fi; \
	fi
	@echo $(TORCH) > $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	@echo "Installing Alla Prima."
	@$(PIP) $$(cat $(VENV)/.index) --editable '.[survey,vgg]'
	@touch $@

# Holds the program itself as well, so one call of pip is enough.
$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	@echo "Installing Alla Prima and the tools of its tests."
	@$(PIP) $$(cat $(VENV)/.index) --editable '.[dev]'
	@touch $(VENV)/.installed $@
