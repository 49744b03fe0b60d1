# Drillbook. README.md says what to expect; `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/uv)
PYTHON := .venv/bin/python

# Some hosts forbid bytecode: each run would compile every library anew, for a second and a half.
unexport PYTHONDONTWRITEBYTECODE

ifneq ($(MAKEOVERRIDES),)
$(error make takes no values: give them to the command, as in ".venv/bin/drillbook $(or $(firstword $(MAKECMDGOALS)),verify) --name=value"; "--help" lists its options)
endif

.PHONY: install remote verify test test-all browser interop bench check site dist clean help
install: .venv/ready  ## Make the environment; .venv/bin/drillbook is the command
remote:  ## Install what backups at s3://… sftp://… https://… need (an optional extra)
	@mkdir -p .tools && touch .tools/remote
	@$(UV) sync --locked --quiet --compile-bytecode --extra remote
verify: .venv/ready  ## Start the stack, check every statement, write the report
	@.venv/bin/drillbook verify
test: .venv/ready  ## The harness's own quick tests; no Docker needed
	@$(PYTHON) -m pytest tests -m "not slow and not mutant and not engine and not interop and not browser" -n 2 -q
test-all: .venv/ready  ## The slow ones as well, which start stacks
	@$(PYTHON) -m pytest tests/system tests/stack tests/unit -m "not mutant and not engine and not interop and not browser" \
	  -n 3 --dist loadgroup -q --timeout=900
browser: .venv/ready  ## The pages in a real browser; needs Debian's chromium and chromium-driver
	@$(PYTHON) -m pytest $$(grep -rl --include="test_*.py" "mark\.browser" tests) -m browser -q
interop: .venv/ready .tools/interop/ready .tools/generating/ready  ## Programs that are not ours read what we write
	@$(PYTHON) -m pytest $$(grep -rl --include="test_*.py" "mark\.interop" tests) -m interop -q
bench: .venv/ready  ## What a run costs, as ratios on this machine; some minutes
	@$(PYTHON) -m tests.support.bench
check: .venv/ready  ## Lint, format, types and layers
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@$(PYTHON) -m mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
site: .tools/site/ready  ## The documents as pages, in build/site; a broken link is an error
	@.tools/site/bin/sphinx-build -C -q -W --keep-going -D extensions=myst_parser -D html_theme=furo -D project=Drillbook \
	  -D myst_heading_anchors=3 -D suppress_warnings=misc.highlighting_failure docs build/site
dist: .venv/ready  ## A release in dist/ (or $DIST): wheel, recipe of an image, CycloneDX SBOM, its libraries by hash
	@rm -rf '$(or $(DIST),dist)'
	@$(UV) build --quiet --wheel --out-dir '$(or $(DIST),dist)'
	@cp compose/command/Dockerfile '$(or $(DIST),dist)'
	@$(UV) export --quiet --locked --no-dev --extra notify --format=cyclonedx1.5 -o '$(or $(DIST),dist)/drillbook.cdx.json'
	@$(UV) export --quiet --locked --no-dev --extra notify --no-emit-project -o '$(or $(DIST),dist)/requirements.txt'
clean:  ## Remove the environment and caches (reports stay)
	rm -rf .venv .tools build mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf "$${TMPDIR:-/tmp}/drillbook-cache-$$(id -u)"
help: .venv/ready  ## This list, and the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@.venv/bin/drillbook --help

.tools/uv:
	@echo "fetching uv, once" >&2
	@python3 .ci/get_uv.py .tools/uv
.tools/%/ready: uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@UV_PROJECT_ENVIRONMENT=.tools/$* $(UV) sync --locked --quiet --only-group $*
	@touch $@
.venv/ready: pyproject.toml uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@$(UV) sync --locked --quiet --compile-bytecode $(if $(wildcard .tools/remote),--extra remote)
	@$(PYTHON) -m drillbook.preflight.git_scan
	@touch .venv/ready
