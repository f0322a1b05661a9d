# Every verb of the project. Needs make and a Python of at least 3.11, nothing else.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first of these that is new enough makes the virtual environment; PYTHON=... picks another.
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3 python)
BIN := .venv/bin

# A moved checkout leaves scripts that name the old path, an upgraded Python a link to nowhere or packages of another
# version: either way .venv is made anew. A link to an environment elsewhere is its owner's business.
VENV_USABLE := $(shell if [ ! -e .venv ] && [ ! -L .venv ] || [ -L .venv ]; then echo yes; \
	elif grep -qsF "$(CURDIR)/.venv" .venv/bin/activate && .venv/bin/python -I -c \
	'import os, sys; sys.exit(not os.path.isdir(f"{sys.prefix}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"))' \
	2>/dev/null; then echo yes; else echo no; fi)

# A stamp carries the checksum of its lock, so an unchanged lock costs nothing on the next run.
# OTEL=1 is for traces: docs/operations.md.
RUNTIME_LOCK := $(if $(OTEL),requirements-otel.lock,requirements.lock)
RUNTIME_STAMP := .venv/installed-run-$(shell cksum < $(RUNTIME_LOCK) | cut -d ' ' -f 1)
DEV_STAMP := .venv/installed-dev-$(shell cksum < requirements-dev.lock | cut -d ' ' -f 1)
# The benchmarks' peers have an environment to themselves: neither the service nor the tests ever see them.
BENCH_STAMP := .venv-bench/installed-$(shell cksum < requirements-bench.lock | cut -d ' ' -f 1)

COMPILE := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url

.PHONY: help setup run test screenshots mutants chaos catalogue check format wheel sdk bench queue-key redis-acl lock clean

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(DEV_STAMP) ## Make .venv with all that the service, the tests and the tools need

run: $(RUNTIME_STAMP) ## Start the whole service here; Ctrl-C drains and stops it
	@exec $(BIN)/python -m worker run

# Most tests wait for processes that they have started, so three tests more than there are cores keep these busy.
test: check ## Check, then run every test
	@$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 3)') --dist loadfile --no-loadscope-reorder $(TESTS)

screenshots: $(DEV_STAMP) ## Write each page, at two sizes, light and dark, into var/screenshots (or SCREENSHOTS=...)
	@SCREENSHOTS=$(abspath $(or $(SCREENSHOTS),var/screenshots)) $(BIN)/python -m pytest -q -k each_page tests/worker/http/console/test_in_browser.py tests/worker/http/connect/test_in_browser.py
	@echo "The screenshots are in $(or $(SCREENSHOTS),var/screenshots)."

mutants: $(DEV_STAMP) ## Take each defence of docs/security.md out, and see that its tests notice (takes some minutes)
	@$(BIN)/python -m tests.mutants $(MUTANTS)

chaos: $(DEV_STAMP) ## Kill workers, broker and database for a minute, and see that no token is lost
	@$(BIN)/python -m tests.chaos $(CHAOS)

catalogue: $(DEV_STAMP) ## Try every preset of the catalogue, and print what passes and the counts by catalogue
	@$(BIN)/python -m tests.catalogue

check: $(DEV_STAMP) ## Lint, format, types and import rules, without the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo & imports=$$!; $(BIN)/mypy; types=$$?; wait $$imports && exit $$types

format: $(DEV_STAMP) ## Rewrite the code in the project's format
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

wheel: $(DEV_STAMP) ## Build the client that other apps install, into dist/
	@$(BIN)/python -m pip wheel -qq --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build catfeeder.egg-info
	@ls dist/catfeeder-*.whl

sdk: $(DEV_STAMP) ## Build the clients over HTTP, a wheel and a tarball of npm, into dist/
	@$(BIN)/python -m sdk.build
	@ls dist/catfeeder_http-*.whl dist/catfeeder-http-*.tgz

bench: $(BENCH_STAMP) ## Measure it beside its peers (STEPS=... alone) and write docs/benchmarks/ (takes an hour)
	@.venv-bench/bin/python -m benchmarks $(STEPS)

queue-key: $(RUNTIME_STAMP) ## Print the key that lets an app (APP=its id) put jobs on the queue
	@exec $(BIN)/python -m worker keys queue $(if $(APP),--app $(APP))

redis-acl: $(RUNTIME_STAMP) ## Print the rights in Redis of an app's user (APP=its id), or of the service's
	@exec $(BIN)/python -m worker keys redis-acl $(APP)

lock: ## Renew the lock files from pyproject.toml (needs uv)
	@head -n 1 requirements.lock > requirements.lock.new
	@$(COMPILE) --upgrade --group service >> requirements.lock.new
	@mv requirements.lock.new requirements.lock
	@head -n 1 requirements-dev.lock > requirements-dev.lock.new
	@$(COMPILE) --group dev --constraints requirements.lock >> requirements-dev.lock.new
	@mv requirements-dev.lock.new requirements-dev.lock
	@head -n 1 requirements-bench.lock > requirements-bench.lock.new
	@$(COMPILE) --group bench --constraints requirements.lock >> requirements-bench.lock.new
	@mv requirements-bench.lock.new requirements-bench.lock
	@head -n 1 requirements-otel.lock > requirements-otel.lock.new
	@$(COMPILE) --group otel --constraints requirements.lock >> requirements-otel.lock.new
	@mv requirements-otel.lock.new requirements-otel.lock

clean: ## Remove what set-up, build and tools wrote; data and keys stay
	@rm -rf .venv .venv-bench build dist catfeeder.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

# Makes .venv anew on the way to any verb that needs it, and leaves it to `make clean` to only remove it.
ifeq ($(VENV_USABLE),no)
.PHONY: .venv/bin/python $(RUNTIME_STAMP) $(DEV_STAMP)
endif

.venv/bin/python:
	@if [ $(VENV_USABLE) = no ]; then echo "The environment in .venv is of another place or another Python: it is made anew."; fi
	@for python in $(PYTHONS); do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making a virtual environment in .venv with $$($$python -V)"; \
			touch .venv-failed 2>/dev/null || { echo "The folder $(CURDIR) cannot be written to: it needs room for .venv." >&2; exit 1; }; \
			rm -rf .venv; \
			$$python -m venv .venv > .venv-failed 2>&1 && rm .venv-failed && exit 0; \
			rm -rf .venv; \
			echo "$$python cannot make a virtual environment; on Debian and Ubuntu install python3-venv. It said:" >&2; \
			cat .venv-failed >&2; rm .venv-failed; exit 1; \
		fi; \
	done; \
	echo "Cat Feeder needs Python 3.11 or newer, and none of these is: $(PYTHONS). Install one, or name it: make run PYTHON=/path/to/python" >&2; \
	exit 1

INSTALL = echo "Installing $$(grep -c == $(1)) packages from $(1)" && \
	$(or $(2),$(BIN))/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(1)

# The tools' lock holds all of the runtime's: with it, the smaller one need not be installed.
$(RUNTIME_STAMP): | .venv/bin/python
	@if [ ! -e $(DEV_STAMP) ]; then $(call INSTALL,$(RUNTIME_LOCK)); fi
	@touch $@

$(DEV_STAMP): | .venv/bin/python
	@$(call INSTALL,requirements-dev.lock)
	@touch $@

$(BENCH_STAMP): | .venv/bin/python
	@.venv/bin/python -m venv .venv-bench
	@$(call INSTALL,requirements-bench.lock,.venv-bench/bin)
	@touch $@
