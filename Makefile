# Drillbook. `make help` lists what there is; README.md says what to expect.
SHELL := /bin/sh
.DEFAULT_GOAL := help

STACK ?= auto
WORKERS ?= auto
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .tools/uv)
PYTHON := .venv/bin/python

# Some hosts forbid bytecode: each run would compile every library anew, for a second and a half.
unexport PYTHONDONTWRITEBYTECODE

define newline


endef
# A line break would cut the recipe in two.
whole = $(if $(findstring $(newline),$(1)),$(error $(or $(2),a value) has a line break in it, which make cannot hand on: give a path or a value of one line),$(1))
quoted = '$(subst ','\'',$(call whole,$(1),$(2)))'
argument = $(call quoted,$($(1)),$(1))
given = $(if $($(1)),$(2)=$(call argument,$(1)))
# A URL may carry a credential, and a command line can be read by everybody.
backup = $(if $(findstring ://,$($(1))),--backup=env:DRILLBOOK_BACKUP,$(call given,$(1),--backup)) $(call given,BACKUP_OPTIONS,--backup-options)
export DRILLBOOK_BACKUP = $(if $(findstring ://,$(BACKUP)$(BACKUPS)),$(BACKUP)$(BACKUPS))
# What a drill does not use takes a quarter of a second to load, and a wrong key is to be told in two.
lean = -p no:cacheprovider -p no:anyio -p no:hypothesispytest -p no:doctest
declared = $(call given,CONFIG,--config) $(call given,WAIVERS,--waivers) $(if $(CERTIFIED),--certified)
sealed = $(call given,SIGNING_KEY,--signing-key) $(call given,SIGNING_KEY_ENV,--signing-key-env) $(call given,TSA,--tsa)

# The record names the command line that made it.
verify merge preflight drill rewrap rehearse: export DRILLBOOK_MAKE = make $(MAKECMDGOALS) $(MAKEOVERRIDES)

##@ Runs
.PHONY: verify
verify: .venv/ready  ## Check the runbook: STACK=auto|containers|embedded IMAGE= COMPOSE= CONTROLS= STRICT=1 REASON= OPERATOR= SEED= MUTANT= OFFER=rotation,audit BUDGET=12x12 RUN_DIR= CONFIG= WAIVERS= CERTIFIED=1 WORKERS=auto|1|2... SHARD=2/5 SIGNING_KEY= SIGNING_KEY_ENV= TSA=
	@$(PYTHON) -m pytest suites --evidence --stack=$(call argument,STACK) --workers=$(call argument,WORKERS) \
	  $(call given,IMAGE,--image) $(call given,COMPOSE,--compose) $(call given,CONTROLS,--controls) \
	  $(call given,REASON,--reason) $(call given,OPERATOR,--operator) $(call given,SEED,--seed) \
	  $(call given,MUTANT,--mutant) $(call given,OFFER,--offer) $(call given,BUDGET,--budget) $(call given,RUN_DIR,--run-dir) $(if $(STRICT),--strict-claims) \
	  $(call given,ENV_FILE,--env-file) $(call given,REPO,--repo) $(call given,ESCROW,--escrow) $(call backup,BACKUP) $(declared) $(sealed) \
	  $(call given,SHARD,--shard) $(if $(SHARD),|| [ $$? -eq 2 ] # a shard alone decides nothing)

.PHONY: lifecycle
lifecycle: .venv/ready  ## Any sequence of an operator's acts: BUDGET=100x12 (plans x acts) STACK= IMAGE= COMPOSE= SEED= MUTANT= OFFER= RUN_DIR=
	@$(PYTHON) -m pytest suites/lifecycle --evidence --one-question --stack=$(call argument,STACK) --workers=$(call argument,WORKERS) -p no:cacheprovider \
	  --budget=$(call quoted,$(if $(BUDGET),$(BUDGET),100x12)) $(call given,IMAGE,--image) $(call given,COMPOSE,--compose) \
	  $(call given,SEED,--seed) $(call given,MUTANT,--mutant) $(call given,OFFER,--offer) $(call given,RUN_DIR,--run-dir) \
	  $(call given,REASON,--reason) $(call given,OPERATOR,--operator) $(declared) $(sealed)

.PHONY: preflight
preflight: .venv/ready  ## Check files without a stack, for a pre-commit hook: COMPOSE= ENV_FILE= REPO= ESCROW= BACKUP= MUTANT= RUN_DIR=
	@$(PYTHON) -m drillbook.cli.preflight \
	  $(call given,COMPOSE,--compose) $(call given,ENV_FILE,--env-file) $(call given,REPO,--repo) \
	  $(call given,ESCROW,--escrow) $(call backup,BACKUP) $(call given,MUTANT,--mutant) \
	  $(if $(RUN_DIR),--evidence $(call given,RUN_DIR,--run-dir) $(declared) $(sealed))

.PHONY: live
live: .venv/ready  ## Look at a running instance, only reading: URL= CREDENTIAL= BACKUPS= ENV_FILE= DOCKER=1 PROJECT= CA= PLAIN_URL= STRICT=1
	@$(PYTHON) -m pytest suites/live --evidence --one-question --stack=remote -p no:cacheprovider \
	  $(call given,URL,--url) $(call given,CREDENTIAL,--credential) $(call backup,BACKUPS) \
	  $(call given,ENV_FILE,--env-file) $(if $(DOCKER),--docker) $(call given,PROJECT,--project) \
	  $(call given,CA,--ca) $(call given,PLAIN_URL,--plain-url) $(call given,CONTROLS,--controls) \
	  $(call given,REASON,--reason) $(call given,OPERATOR,--operator) $(call given,RUN_DIR,--run-dir) \
	  $(call given,MUTANT,--mutant) $(if $(STRICT),--strict-claims) $(declared) $(sealed)

.PHONY: drill
drill: .venv/ready  ## Bring your own backup back to life, where nothing leads out: BACKUP=file|folder|docker:<container>|URL BACKUP_OPTIONS= ENV_FILE= RTO=4h RPO=24h STATEMENT_LIMIT= IMAGE= COMPOSE= STACK= CREDENTIAL= REASON= OPERATOR= RUN_DIR=
	@$(PYTHON) -m pytest suites/drill --evidence --one-question --drill --stack=$(call argument,STACK) $(lean) \
	  $(call backup,BACKUP) $(call given,ENV_FILE,--env-file) $(call given,RTO,--rto) $(call given,RPO,--rpo) $(call given,STATEMENT_LIMIT,--statement-limit) \
	  $(call given,IMAGE,--image) $(call given,COMPOSE,--compose) $(call given,CREDENTIAL,--credential) \
	  $(call given,CONTROLS,--controls) $(call given,REASON,--reason) $(call given,OPERATOR,--operator) \
	  $(call given,SEED,--seed) $(call given,MUTANT,--mutant) $(call given,RUN_DIR,--run-dir) $(declared) $(sealed)

.PHONY: rehearse
rehearse: .venv/ready  ## Another image, tried on a copy of your own backup, and the way back: BACKUP=file|folder|docker:<container>|URL ENV_FILE= FROM=image TO=image OUTAGE=10m STATEMENT_LIMIT= NOTES=notes.yaml VERIFY_FROM= VERIFY_TO= COMPOSE= STACK= CREDENTIAL= REASON= OPERATOR= RUN_DIR=
	@$(PYTHON) -m pytest suites/change/test_upgrade.py suites/change/test_way_back.py suites/change/test_bad_starts.py \
	  --evidence --one-question --rehearse --stack=$(call argument,STACK) -p no:cacheprovider \
	  $(call backup,BACKUP) $(call given,ENV_FILE,--env-file) $(call given,FROM,--from) $(call given,TO,--to) \
	  $(call given,OUTAGE,--outage) $(call given,STATEMENT_LIMIT,--statement-limit) $(call given,NOTES,--notes) $(call given,COMPOSE,--compose) \
	  $(call given,VERIFY_FROM,--verify-from) $(call given,VERIFY_TO,--verify-to) $(call given,CREDENTIAL,--credential) \
	  $(call given,CONTROLS,--controls) $(call given,REASON,--reason) $(call given,OPERATOR,--operator) \
	  $(call given,SEED,--seed) $(call given,MUTANT,--mutant) $(call given,RUN_DIR,--run-dir) $(declared) $(sealed)

.PHONY: check-key
check-key: .venv/ready  ## Does this key open this backup? Offline, in a second: BACKUP=file|folder|docker:<container>|URL|- BACKUP_OPTIONS= ENV_FILE='one.env other.env' FORM=json
	@$(PYTHON) -m drillbook.cli.check_key $(call backup,BACKUP) $(call given,ENV_FILE,--env-file) $(call given,FORM,--form)

.PHONY: recover
recover: .venv/ready  ## The day nothing starts: the secrets from backup and key, encrypted: BACKUP= ENV_FILE= OUT=secrets.json.age|.env.age RECIPIENT=age1…|PASSPHRASE_FILE= (or PLAINTEXT=yes)
	@$(PYTHON) -m drillbook.cli.recover $(call backup,BACKUP) $(call given,ENV_FILE,--env-file) \
	  $(call given,OUT,--out) $(call given,RECIPIENT,--recipient) \
	  $(call given,PASSPHRASE_FILE,--passphrase-file) $(call given,PLAINTEXT,--plaintext)

.PHONY: rewrap
rewrap: .venv/ready  ## EXPERIMENTAL: a new backup under another ENCRYPTION_KEY, proven offline, then tried out: BACKUP= ENV_FILE= NEW_ENV_FILE= OUT=new.sql IMAGE= STACK= COMPOSE= REHEARSE=no
	@$(PYTHON) -m fixtures.rekey $(call backup,BACKUP) $(call given,ENV_FILE,--env-file) \
	  $(call given,NEW_ENV_FILE,--new-env-file) $(call given,OUT,--out) \
	  $(if $(filter no,$(REHEARSE)),,--stack=$(call argument,STACK) $(call given,IMAGE,--image) $(call given,COMPOSE,--compose))
	@$(if $(filter no,$(REHEARSE)),,$(PYTHON) -m pytest suites/change/test_rewrap.py --evidence --one-question \
	  --stack=$(call argument,STACK) -p no:cacheprovider $(call backup,BACKUP) $(call given,ENV_FILE,--env-file) \
	  $(call given,NEW_ENV_FILE,--new-env-file) $(call given,OUT,--rewrapped) $(call given,IMAGE,--image) \
	  $(call given,COMPOSE,--compose) $(call given,REASON,--reason) $(call given,OPERATOR,--operator) \
	  $(call given,RUN_DIR,--run-dir) $(declared) $(sealed))
	@$(PYTHON) -m fixtures.rekey --steps

.PHONY: diagnose
diagnose: .venv/ready  ## Name the cause in a backend's log, and the runbook's cure: LOG=file or LOG=- (standard input)
	@$(PYTHON) -m drillbook.runbook.diagnosis $(call argument,LOG)

.PHONY: catalogue
catalogue: .venv/ready  ## Everything that is checked, and of which statement, running nothing: FORM=json|markdown
	@$(PYTHON) -m reports.history.list_controls $(if $(FORM),--$(FORM))

.PHONY: images
images: .venv/ready  ## Assemble PostgreSQL 14, Redis 7 and reference backend images where no registry is reachable (root, Debian)
	@compose/offline/build.sh

.PHONY: remote
remote: .venv/ready  ## Install, once, what BACKUP=s3://… sftp://… https://… needs (an optional extra)
	@mkdir -p .tools && touch .tools/remote
	@$(UV) sync --locked --quiet --compile-bytecode --extra remote

.PHONY: sweep
sweep: .venv/ready  ## Remove what killed runs left behind
	@$(PYTHON) -m drillbook.stack.sweep

##@ Evidence
.PHONY: status
status: .venv/ready  ## Last drill, key recovery, password rotation, move, and when each is due; fails when overdue: PUBKEY= ICS=file.ics RUN_DIR= CONFIG=
	@$(PYTHON) -m reports.history.status $(call given,RUN_DIR,--run-dir) $(call given,CONFIG,--config) $(call given,ICS,--ics) $(call given,PUBKEY,--pubkey)

.PHONY: history
history: .venv/ready  ## Verdicts, RTO, RPO and corrections over time, what changed, what is past its time: RUN_DIR=
	@$(PYTHON) -m reports.history $(call given,RUN_DIR,--run-dir)

.PHONY: verify-evidence
verify-evidence: .venv/ready  ## Is a bundle genuine? No stack needed: BUNDLE= PUBKEY= PREVIOUS= TSA_CERT= UNSIGNED=1
	@$(PYTHON) -m reports.seal.verify $(call argument,BUNDLE) $(call given,PUBKEY,--pubkey) \
	  $(call given,PREVIOUS,--previous) $(call given,TSA_CERT,--tsa-cert) $(if $(UNSIGNED),--unsigned)

.PHONY: signing-key
signing-key: .venv/ready  ## Make an Ed25519 key that signs bundles: OUT=file (its public half goes to file.pub)
	@$(PYTHON) -m reports.seal.tools signing-key $(call argument,OUT)

.PHONY: seal
seal: .venv/ready  ## Sign the folder of a run afterwards: RUN=reports/runs/... SIGNING_KEY= SIGNING_KEY_ENV= TSA=
	@$(PYTHON) -m reports.seal.tools seal $(call argument,RUN) $(sealed)

.PHONY: timestamp
timestamp: .venv/ready  ## Stamp a bundle with an authority's time (RFC 3161): BUNDLE= TSA=url, or by hand, then TSR=file
	@$(PYTHON) -m reports.seal.tools timestamp $(call argument,BUNDLE) $(call given,TSA,--tsa) $(call given,TSR,--tsr)

.PHONY: sign-off
sign-off: .venv/ready  ## Say beside a bundle who answers for it: BUNDLE= ACT=prepared|reviewed|approved NAME= ROLE= REMARK= SIGNING_KEY= SIGNING_KEY_ENV= ANYWAY=1
	@$(PYTHON) -m reports.seal.sign_off $(call argument,BUNDLE) $(call given,ACT,--act) $(call given,NAME,--name) \
	  $(call given,ROLE,--role) $(call given,REMARK,--remark) $(call given,SIGNING_KEY,--signing-key) \
	  $(call given,SIGNING_KEY_ENV,--signing-key-env) $(if $(ANYWAY),--anyway)

.PHONY: report
report: .venv/ready  ## Every document once more from the record alone: FROM=evidence.json|folder|bundle.zip OUT=folder
	@$(PYTHON) -m reports.session.rerender $(call argument,FROM) $(call given,OUT,--out)

.PHONY: qualify
qualify: .venv/ready $(if $(GENERATED),.tools/generating/ready)  ## Can the suite fail? Healthy runs and every planted bug, as a matrix: STACK=auto|embedded|containers IMAGE= MUTANTS= N=2 WORKERS= GENERATED=200 SEED=1 KEEP=1
	@$(PYTHON) -m reports.qualification --stack=$(call argument,STACK) --workers=$(call argument,WORKERS) \
	  $(call given,IMAGE,--image) $(call given,MUTANTS,--mutants) $(call given,N,--healthy) $(if $(KEEP),--keep) \
	  $(call given,GENERATED,--generated) $(call given,SEED,--seed)

.PHONY: repeat
repeat: .venv/ready  ## Do runs of one seed give one set of verdicts? N=20 SEED=1 CONTROLS= WORKERS=
	@$(PYTHON) -m reports.qualification.repeat --workers=$(call argument,WORKERS) \
	  $(call given,N,--runs) $(call given,SEED,--seed) $(call given,CONTROLS,--controls)

.PHONY: merge
merge: .venv/ready  ## Join the shards of a run (verify SHARD=2/5) into one record; runs of several images or machines into a matrix: RUNS="folder folder..." RUN_DIR= SIGNING_KEY= TSA=
	@$(PYTHON) -m reports.session.merge $(call argument,RUNS) $(call given,RUN_DIR,--run-dir) $(call given,SIGNING_KEY,--signing-key) \
	  $(call given,SIGNING_KEY_ENV,--signing-key-env) $(call given,TSA,--tsa)

.PHONY: export
export: .venv/ready  ## A bundle as others take it: FOR=ctrf|ocsf|hdf|oscal|drata|vanta BUNDLE= OUT=folder OSCAL_VERSION=
	@$(PYTHON) -m reports.export.from_bundle $(call argument,FOR) $(call argument,BUNDLE) $(call given,OUT,--out) \
	  $(call given,OSCAL_VERSION,--oscal-version)

##@ The harness itself
.PHONY: test
test: .venv/ready  ## The harness's own tests; no Docker needed
	@$(PYTHON) -m pytest tests -m "not mutant and not engine and not interop and not browser" -n 2 -q

.PHONY: mutants
mutants: .venv/ready  ## Every planted bug before the control meant for it, without a Docker engine
	@$(PYTHON) -m reports.qualification --stack=embedded --healthy=0 --workers=$(call argument,WORKERS)
	@$(PYTHON) -m pytest tests -m mutant -n 2 -q

.PHONY: mutation
mutation: .tools/mutation/ready  ## Mutation testing of verdict, redaction, seal and key proof with mutmut; takes hours, so by hand or at night
	@.tools/mutation/bin/mutmut run

.PHONY: browser
browser: .venv/ready  ## The pages in a real browser; needs Debian's chromium and chromium-driver
	@$(PYTHON) -m pytest tests -m browser -q

.PHONY: interop
interop: .venv/ready .tools/interop/ready .tools/generating/ready  ## Programs that are not ours read what we write
	@$(PYTHON) -m pytest tests -m interop -q

.PHONY: fuzz
fuzz: .venv/ready  ## Hand over nearly right inputs, others each time, to all that reads any: FUZZ=3000 (each reader)
	@DRILLBOOK_FUZZ=$(call quoted,$(or $(FUZZ),3000)) $(PYTHON) -m pytest tests/test_fuzz_inputs.py tests/test_fuzz_records.py \
	  -n 2 -q --timeout=3600

.PHONY: fuzz-coverage
fuzz-coverage: .venv/ready .tools/fuzzing/ready  ## The same by inputs that reach new code of our parsers: READER=pattern FUZZ_S=60 (each reader)
	@.tools/fuzzing/bin/python -m tests.guided $(call quoted,$(or $(READER),*)) --seconds=$(call quoted,$(or $(FUZZ_S),60))

.PHONY: chaos
chaos: .venv/ready  ## Something happens to a run at random moments; what must be so afterwards? STACK=embedded|containers N=30 SEED= (docs/qualification.md)
	@$(PYTHON) -m tests.chaos $(if $(filter containers,$(STACK)),--stack=containers) $(call given,N,--moments) $(call given,SEED,--seed)

.PHONY: bench
bench: .venv/ready  ## What a run costs, as ratios within one run: STACK=embedded|containers IMAGE= CONTROLS=10 MIB=1024 (docs/speed.md)
	@$(PYTHON) -m fixtures.bench $(if $(filter-out auto,$(STACK)),--stack=$(call argument,STACK)) \
	  $(call given,IMAGE,--image) $(call given,CONTROLS,--controls) $(call given,MIB,--mib)

.PHONY: check
check: .venv/ready  ## Lint, format, types and layers
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@$(PYTHON) -m mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache

.PHONY: clean
clean:  ## Remove the environment and caches (reports stay)
	rm -rf .venv .tools mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf "$${TMPDIR:-/tmp}/drillbook-cache-$$(id -u)"

.PHONY: help
help:  ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.tools/uv:
	@echo "fetching uv, once" >&2
	@python3 .ci/get_uv.py .tools/uv

.tools/mutation/ready: uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@UV_PROJECT_ENVIRONMENT=.tools/mutation $(UV) sync --locked --quiet --group mutation
	@touch $@

.tools/fuzzing/ready: uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@UV_PROJECT_ENVIRONMENT=.tools/fuzzing $(UV) sync --locked --quiet --group fuzzing
	@touch $@

.tools/generating/ready: uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@UV_PROJECT_ENVIRONMENT=.tools/generating $(UV) sync --locked --quiet --only-group generating
	@touch $@

.tools/interop/ready: uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@UV_PROJECT_ENVIRONMENT=.tools/interop $(UV) sync --locked --quiet --only-group interop
	@touch $@

.venv/ready: pyproject.toml uv.lock $(if $(filter .tools/uv,$(UV)),.tools/uv)
	@$(UV) sync --locked --quiet --compile-bytecode $(if $(wildcard .tools/remote),--extra remote)
	@$(PYTHON) -m drillbook.preflight.secret_scanner
	@touch .venv/ready
