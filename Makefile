# Everything starts from python3 and make; `make help` lists what there is.

VENV ?= .venv
# How many tests run side by side: half of them wait for something, most of the time.
N ?= 3
# More words for the program that a target starts: make test ARGS="-k lease"
ARGS ?=
# Another store than the embedded one: make run STORAGE=postgresql://host/crony
# A URL with a password is better put into the environment: STORAGE=… make run
STORAGE ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint simulate chaos bench docs clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

ifneq ($(STORAGE),)
run: export CRONY_STORAGE := $(STORAGE)
endif
# The drivers of servers are installed when one is asked for.
run: $(VENV)/.ready-to-run$(if $(STORAGE),-on-servers) ## Start the service and one worker: make run STORAGE=redis://…
	@exec $(VENV)/bin/crony up $(ARGS)

# Hundreds of programs are started: what one has compiled the others need not.
test: $(VENV)/.ready-to-test ## Run every test; one that is skipped is a failure
	@env -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/python -m pytest -q -n $(N) --complete $(ARGS)

lint: $(VENV)/.ready-to-test ## Check style, types and layers
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

simulate: $(VENV)/.ready-to-test ## Play many seeded histories: make simulate SEED=1000 COUNT=20000
	@CRONY_SIMULATION_SEED=$(or $(SEED),0) CRONY_SIMULATION_COUNT=$(or $(COUNT),5000) \
	    $(VENV)/bin/python -m pytest -q -n $(N) tests/simulation/test_histories.py $(ARGS)

chaos: $(VENV)/.ready-to-test ## Kill and stop everything at random: CRONY_CHAOS_SECONDS=300
	@CRONY_CHAOS_SECONDS=$${CRONY_CHAOS_SECONDS:-300} \
	    $(VENV)/bin/python -m pytest -q --log-cli-level=INFO tests/acceptance/test_chaos.py $(ARGS)

# The stores side by side take longer than all the others: make bench ROW=stores
ROWS = $(filter-out bench/stores.py,$(sort $(wildcard bench/[a-z]*.py)))

bench: $(VENV)/.ready-to-test ## Measure one row, or all: make bench ROW=punctuality
	@for row in $(if $(ROW),bench/$(ROW).py,$(ROWS)); do \
	    $(VENV)/bin/python $$row $(ARGS) || missed="$$missed $$(basename $$row .py)"; \
	done; \
	[ -z "$$missed" ] || { echo "a target was missed, or the row broke:$$missed"; exit 1; }

docs: $(VENV)/.ready-to-test ## Build the documentation into docs/_build
	@$(VENV)/bin/python -m sphinx -W -q -b html docs docs/_build
	@echo "docs/_build/index.html"

clean: ## Remove all that was made here, the virtual environment too
	rm -rf $(VENV) build dist docs/_build *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What was installed stays until pyproject.toml asks for something else.
$(VENV)/.ready-to-run: pyproject.toml .ci/prepare
	@.ci/prepare $(VENV) sandbox
	@touch $@

$(VENV)/.ready-to-run-on-servers: pyproject.toml .ci/prepare
	@.ci/prepare $(VENV) sandbox,stores
	@touch $@ $(VENV)/.ready-to-run

$(VENV)/.ready-to-test: pyproject.toml .ci/prepare .ci/servers
	@.ci/servers
	@.ci/prepare $(VENV) sandbox,stores,test,lint,docs
	@touch $@ $(VENV)/.ready-to-run $(VENV)/.ready-to-run-on-servers
