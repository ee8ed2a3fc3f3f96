# The interpreter that makes .venv, 3.11 or later.
PYTHON ?= python3

# What pip is asked for as torch. It is installed first and alone, because some package indexes answer a bare torch with
# a build of several gigabytes for GPUs. To choose a build, give pip a wheel or its options:
#   make run TORCH=torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
#   make run TORCH='torch==2.13.0 --index-url ADDRESS'
TORCH ?= torch==2.13.0

# The same for `make test-oldest`; without it the lowest version that pyproject.toml lets in.
TORCH_OLDEST ?=

# Test processes, one torch thread each.
WORKERS ?= 2

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check install --constraint constraints.txt
STAMP := .venv/.installed
OLDEST := .venv-oldest
OLDEST_PIP := $(OLDEST)/bin/python -m pip --quiet --quiet --disable-pip-version-check install
# Tests start many processes: modules are compiled once, whatever the shell says of that.
ENVIRONMENT := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 \
    PYTHONDONTWRITEBYTECODE=
TEST := $(ENVIRONMENT) $(BIN)/pytest

# What the oldest versions are tried with: whole runs, what reads, stores, plans, scores and reports, and what is exported.
OLDEST_TESTS := tests/data tests/store tests/plan tests/score tests/report tests/share tests/test_cli.py tests/test_help.py \
    tests/test_bad_report.py tests/export tests/test_long_names.py tests/test_resume.py tests/test_request.py

# Scripts of tests/campaign/.
CAMPAIGNS := kills writers full fuzz corruption bits long

.DEFAULT_GOAL := help
.PHONY: help install run test test-real test-oldest campaign campaign-full check clean $(CAMPAIGNS:%=short-%)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 15

install: $(STAMP) ## make .venv and install everything at pinned versions

run: $(STAMP) ## run the smoke suite on the embedded models, offline, and report on it
	$(BIN)/bench run
	$(BIN)/bench report

test: $(STAMP) ## the tests: offline, CPU, 12 minutes of a processor's time and more on a slow one
	$(TEST) -n $(WORKERS) --dist worksteal

test-real: $(STAMP) ## the tests on real models and data
	$(TEST) -m real -n $(WORKERS) --maxschedchunk 1 || test $$? -eq 5 # 5: no such test

# Each prints a line of figures. One that breaks does not keep the others from being run.
campaign: $(STAMP) ## short passes of the campaigns: kills, faults, damage, fuzz; some minutes
	@$(MAKE) --no-print-directory --keep-going --output-sync --jobs $(WORKERS) $(CAMPAIGNS:%=short-%)

$(CAMPAIGNS:%=short-%): short-%: $(STAMP)
	@$(ENVIRONMENT) $(BIN)/python -m tests.campaign.$* --short

campaign-full: $(STAMP) ## the campaigns at length: hours
	@for each in $(CAMPAIGNS); do $(ENVIRONMENT) $(BIN)/python -m tests.campaign.$$each || broken="$$broken $$each"; done; \
	    test -z "$$broken" || { echo "broken:$$broken" >&2; exit 1; }

# The oldest libraries of the hub note commits themselves, where a test takes it that nobody but us does.
test-oldest: $(OLDEST)/.installed ## tests with the oldest versions that are declared (downloads them, into .venv-oldest)
	$(ENVIRONMENT) $(OLDEST)/bin/python -m pytest --ignore tests/report/page/test_browser.py -n $(WORKERS) $(OLDEST_TESTS) \
	    --deselect tests/data/test_hub.py::test_a_model_once_fetched_comes_from_the_cache_with_its_commit

check: $(STAMP) ## lint, format, types, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/typos

clean: ## remove what was installed and what tools left; results stay
	rm -rf .venv $(OLDEST) build dist .pytest_cache .mypy_cache .ruff_cache
	find bench methods suites tests -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("$(PYTHON) is Python %d.%d; tuning-bench needs 3.11 or later: make PYTHON=..." \
	    % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (minutes the first time)"
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[dev]'
	@touch $@

# Everything at its lower bound (tests/oldest.py reads them from pyproject.toml); what those need, as pip finds it.
$(OLDEST)/.installed: pyproject.toml constraints.txt tests/oldest.py
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	@echo "installing into $(OLDEST) (minutes the first time)"
	@$(OLDEST_PIP) packaging
	@$(OLDEST)/bin/python tests/oldest.py > $(OLDEST)/constraints.txt
	@$(OLDEST_PIP) $(or $(TORCH_OLDEST),$$(grep '^torch==' $(OLDEST)/constraints.txt))
	@$(OLDEST_PIP) --constraint $(OLDEST)/constraints.txt --editable '.[peft,large,slurm]' \
	    pytest pytest-xdist selenium seqeval torchmetrics
	@touch $@
