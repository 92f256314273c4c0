# Every verb makes what it needs: python >= 3.11, make and git are enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Tests run in parallel; JOBS=0 runs them in one process.
JOBS   ?= 2
# Seconds of fuzzing, shared by all parsers.
TIME   ?= 60

.PHONY: demo test check bench compare-crash fuzz format azurite clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q muse muse_tui  # or each start compiles where nothing may be written
	touch $@

demo: $(READY)          ## build a demo repository and open muse-tui on it
	@$(BIN)/python -m benchmarks.demo .demo

test: $(READY)          ## every test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: $(READY)         ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fuzz: $(READY)          ## coverage-guided, over every parser; TIME=600 for longer, ONLY=stage for one
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz.run $(TIME) $(ONLY)

format: $(READY)        ## what `check` would ask for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)         ## speed against git, as ratios; ONLY=status,add for some groups
	$(BIN)/python -m benchmarks.run $(if $(ONLY),--only $(ONLY)) $(if $(FILES),--files $(FILES)) \
	  $(if $(PUBLISH),--publish BENCHMARKS.md)

compare-crash: $(READY) ## one commit under git, hg and Muse, killed at every call and cut
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.crash_compare

azurite:                ## Azure's emulator for the tests of az://, by npm (190 MB); skipped without it
	npm install --prefix .azurite --no-audit --no-fund --silent azurite@3

clean:
	rm -rf .azurite $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
