# Two commands: `make run` starts the product on simulated devices, `make test` tests all of it.
BIN := .venv/bin
# Real measurements to replay, where they lie beside the checkout; else the samples we ship.
REPLAY ?= $(wildcard ../shared/data)
PORT ?= 8000
DATA ?= var

.PHONY: run test lint format wheel-check bench campaign lock clean

run:
	@scripts/install run
	@exec $(BIN)/zonkeur run --simulate --port $(PORT) --data $(DATA) $(if $(REPLAY),--replay $(REPLAY))

test:
	@scripts/install dev
	@$(BIN)/python -m pytest $(ARGS)

lint:
	@scripts/install dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format:
	@scripts/install dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel-check:  ## build the wheel, install it afresh, and grade one simulated panel with it
	@scripts/install dev
	@scripts/wheel-check

bench:
	@scripts/install dev
	@for benchmark in benchmarks/[a-z]*.py; do $(BIN)/python $$benchmark || exit 1; done

N ?= 20
SEED ?= 1
RUNS ?= 1
campaign:  ## the real station under faults; exits 1 on any breach (N panels, SEED, RUNS)
	@scripts/install dev
	@$(BIN)/python -m campaign --panels $(N) --seed $(SEED) --runs $(RUNS) --save docs/reliability.md

lock:  ## resolve the dependencies anew; hashes only, no addresses
	@scripts/install dev
	@scripts/lock

clean:
	rm -rf .venv node_modules api/static/vendor build dist .mypy_cache .ruff_cache .pytest_cache
