# The table of contents for work. A newcomer needs no other page to begin: `make run`.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run up-external test lint chaos guards bench model lock
PYTHON := .venv/bin/python

# The first Python that is new enough; one line where there is none.
INSTALL = python=$$(for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done); \
	  test -n "$$python" || { echo "quantasneaks: Python 3.11 or newer is needed, as python3" >&2; exit 1; }; \
	  $$python tools/install.py

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "make %-12s %s\n", $$1, $$2 }'

run: ## the whole shop on this machine, embedded servers included
	@$(INSTALL) requirements.txt && exec $(PYTHON) -m quantasneaks.run

up-external: ## the same on your own DATABASE_URL and REDIS_URL
	@$(INSTALL) requirements.txt && exec $(PYTHON) -m quantasneaks.run --external

test: ## the whole test suite, on real servers, two tests at a time
	@$(INSTALL) requirements-dev.txt && exec $(PYTHON) -m pytest -n 2 --dist worksteal $(ARGS)

lint: ## style, types, import rules, templates, migrations, deployment settings, containers
	@$(INSTALL) requirements-dev.txt
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/djlint --quiet --lint templates
	$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run # no database is needed for this
	$(PYTHON) -m tests.deployment manage.py check --deploy --fail-level WARNING
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	.venv/bin/hadolint Dockerfile

chaos: ## generated schedules of the money, then a storm over the running shop (ARGS=storm for one)
	@$(INSTALL) requirements-dev.txt && exec $(PYTHON) -m tests.chaos $(ARGS)

guards: ## take away each guard of the money in turn and see which test notices
	@$(INSTALL) requirements-dev.txt && exec $(PYTHON) -m tests.chaos.broken_guards $(ARGS)

bench: ## what the shop costs and how fast it is (ARGS="webhooks" for one part)
	@$(INSTALL) requirements-dev.txt && exec $(PYTHON) -m tests.bench $(ARGS)

model: ## rebuild the score's own model and its card from the seed
	@$(INSTALL) requirements-dev.txt && exec $(PYTHON) -m tests.retrain $(ARGS)

lock: ## write the pinned requirements*.txt anew from the .in files
	@$(INSTALL) requirements-dev.txt
	@for set in -image "" -train -analyst -dev; do \
	  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --no-emit-find-links --output-file requirements$$set.txt requirements$$set.in || exit 1; \
	done
