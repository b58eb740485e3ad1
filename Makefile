# `make demo` and `make test` do all the set-up themselves. They need Python 3.11 or newer, git and make, nothing else.

PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
DONE := .venv/.done
GUEST := guests/python/guest.wasm
PACKAGES := agentos.kernel agentos.runs agentos.home agentos.audit agentos.locked agentos.events agentos.manifest agentos.capabilities agentos.guests agentos.sdk agentos.shell agentos.v1

.PHONY: help demo pictures test lint types proto pytest fuzz powercut sabotage bench guest generate baseline lock clean faults mutate crash scale
.DELETE_ON_ERROR:

help:
	@echo 'make demo      run three programs under the kernel, on this checkout'
	@echo 'make test      all checks and all tests'
	@echo 'make lint      ruff only: seconds'
	@echo 'make types     mypy and pyright'
	@echo 'make pytest    the tests only'
	@echo 'make bench     how long a run and a call take, as ratios'
	@echo 'make fuzz      try each property on 20,000 inputs, and each race 40,000 times: half an hour'
	@echo 'make powercut  cut the power under the journal 10,000 times: some minutes'
	@echo 'make pictures  draw the pictures of the README anew, from real runs'
	@echo 'make sabotage  take each check out, one by one, and show which test notices: half an hour'
	@echo 'make mutate    change what decides and what reads, a little each time, and show what no test notices: ten minutes'
	@echo 'make crash     kill -9 of a random process, 2,000 times, under runs with outside effects: an hour'
	@echo 'make scale     100,000 parked runs and as many timers in one home, and histories of up to a million records'
	@echo 'make faults    10,000 fetches that meet faults of all kinds: minutes'
	@echo 'make generate  write again what is generated from the protos'
	@echo 'make lock      resolve the dependencies anew'
	@echo 'make clean     remove all that make made'

demo: $(DONE)/installed $(GUEST)
	@$(BIN)/python -m agentos.shell.demo

pictures: $(DONE)/installed $(GUEST)
	@$(BIN)/python docs/shown/pictures.py

bench: $(DONE)/installed $(DONE)/peers $(GUEST)
	@$(BIN)/python -m bench

test: lint types proto pytest

lint: $(DONE)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# pyright is a Node program: where there is no node, mypy alone has to do.
types: $(DONE)/installed
	$(BIN)/mypy $(PACKAGES:%=-p %) -p tests -p bench
	@if command -v node >/dev/null && $(BIN)/pyright --version >/dev/null 2>&1; then \
		echo '$(BIN)/pyright'; \
		$(BIN)/pyright > $(DONE)/pyright; failed=$$?; cat $(DONE)/pyright; \
		if grep -q 'No source files' $(DONE)/pyright; then exit 1; fi; exit $$failed; \
	else echo 'pyright: SKIPPED, it needs node and its package from npm'; fi

proto: $(DONE)/installed
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf breaking --against proto/baseline.binpb
	$(BIN)/python proto/generate.py --check
	$(BIN)/python -m agentos.sdk.generate --check

pytest: $(DONE)/installed $(GUEST)
	$(BIN)/pytest -n 3 --dist worksteal

# Each says its seed, and how to have a case again that was found. A case that was found stays as an @example.
SEED ?= $(shell date +%Y%m%d)
fuzz: $(DONE)/installed $(GUEST)
	AGENTOS_RACES=40000 $(BIN)/pytest -n 2 --timeout=0 -k swapped tests/files
	$(BIN)/pytest -n 2 --timeout=0 -m hypothesis --hypothesis-profile=long --hypothesis-seed=$(SEED)

powercut: $(DONE)/installed
	@$(BIN)/python -m bench.powercut

sabotage: $(DONE)/installed $(GUEST)
	@$(BIN)/python -m tests.sabotage

# ONLY=TEXT is for the modules with this text in their path.
mutate: $(DONE)/installed
	@$(BIN)/python -m tests.mutation $(if $(ONLY),--only $(ONLY))

# KILLS=N and SEED=N are for a run of another length, and for the same choices again.
crash: $(DONE)/installed $(GUEST)
	@$(BIN)/python -m bench.crash $(if $(KILLS),--kills $(KILLS)) $(if $(filter command line,$(origin SEED)),--seed $(SEED))

scale: $(DONE)/installed $(GUEST)
	@$(BIN)/python -m bench.scale

# FETCHES=N and SEED=N are for a run of another length, and for the same again.
faults: $(DONE)/installed $(GUEST)
	@$(BIN)/python -m bench.faults $(if $(FETCHES),--count $(FETCHES)) $(if $(filter command line,$(origin SEED)),--seed $(SEED))

generate: $(DONE)/installed
	$(BIN)/python proto/generate.py
	$(BIN)/python -m agentos.sdk.generate

# What `buf breaking` compares with. It moves only with a release: see CONTRIBUTING.md.
baseline: $(DONE)/installed
	$(BIN)/buf build --exclude-source-info -o proto/baseline.binpb

lock: $(DONE)/uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --quiet -o requirements.lock
	for peers in peers:3.11 newer:3.12; do $(BIN)/uv pip compile bench/peers/locks/$${peers%:*}.in --universal \
		--python-version $${peers#*:} --generate-hashes --upgrade --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' --quiet -o bench/peers/locks/$${peers%:*}.lock || exit 1; done

clean:
	rm -rf .venv build dist $(GUEST) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---- set-up: each step leaves a stamp, so that a second make does nothing

$(DONE)/uv:
	@test -n "$(PYTHON)" || { echo 'make: needs Python 3.11 or newer; name it with PYTHON=/path/to/python3'; exit 1; }
	@echo 'setting up .venv with $(PYTHON)'
	@$(PYTHON) -m venv .venv || { echo 'make: $(PYTHON) cannot make a venv; on Debian: apt install python3-venv'; exit 1; }
	@mkdir -p $(DONE)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(DONE)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(DONE)/uv.lock
	@touch $@

$(DONE)/installed: $(DONE)/uv requirements.lock pyproject.toml
	@echo 'installing what requirements.lock names'
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# What the bench compares with, in environments of their own. What cannot be had here is told by the bench.
$(DONE)/peers: $(wildcard bench/peers/locks/*) | $(DONE)/installed
	@echo 'installing what the bench compares with'
	@$(BIN)/python -m bench.peers.install
	@touch $@

guest: $(GUEST)

# build.py builds only what its inputs changed; the touch tells make so.
$(GUEST): requirements.lock $(shell find guests/python sdk -name '*.py' -o -name '*.wit') | $(DONE)/installed
	@$(BIN)/python guests/python/build.py
	@touch $@
