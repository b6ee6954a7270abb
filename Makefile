# Thin: the work is in the package. `make demo` on a fresh clone ends with out/demo.mp4.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup voices demo test test-slow chaos chaos-run fuzz up down check bench bench-models bench-catalog bench-api bench-voices mutate

setup: ## make or repair .venv from uv.lock
	@$(PYTHON) -m tools.setup

voices: setup ## en-GB, es, fr, it, pt-BR, ja, zh, hi, de, uk, ru: Kokoro with 59 voices, 285 MB, its front end GPL-3.0
	@$(PYTHON) -m tools.setup --voices

demo: setup ## render the demo request through Airflow into out/
	@$(BIN)/avatarlab demo

test: setup ## every test but the slow and the destructive ones
	@$(PYTHON) -m tools.setup --browser
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses 3 --dist loadfile

test-slow: setup ## what make test leaves out: named models in Airflow, each language (after make voices), recorded people; properties by examples drawn anew
	@$(PYTHON) -m tools.setup --browser
	@$(BIN)/python -m pytest -m slow
	@$(BIN)/python -m pytest -m "not slow" --hypothesis-profile default tests/unit

chaos: setup ## kill one process after the other in the middle of renders
	@$(BIN)/python -m pytest tests/chaos

chaos-run: setup ## every kind of fault at once for MINUTES (15), by SEED (else drawn); a checker's page in out/
	@STORM_MINUTES=$(MINUTES) STORM_SEED=$(SEED) STORM_FAULTS=$(FAULTS) $(BIN)/python -m pytest -s tests/chaos/test_storm.py

fuzz: setup ## damaged media for ten minutes (FUZZ_MINUTES, FUZZ_SEED)
	@$(BIN)/python -m pytest -s tests/fuzz

bench-voices: setup ## each language and voice: errors heard, DNSMOS, speed, into docs/voices.md (ARGS: --first 1 de)
	@$(BIN)/python -m benchmarks.voices $(ARGS)

mutate: setup ## change 200 lines of the product, one at a time: does a unit test notice?
	@$(BIN)/python -m tools.mutate

up: setup ## start the servers and Airflow; WORKERS=2: with Celery workers over Redis
	@$(BIN)/avatarlab up $(if $(WORKERS),--workers $(WORKERS))

down: ## stop them, data kept
	@$(BIN)/avatarlab down

check: setup ## lint, format, types, import direction
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## figures beside other tools
	@$(BIN)/python -m benchmarks

bench-models: setup ## the named models: frames a second and error beside their peers
	@$(BIN)/python -m benchmarks models

bench-catalog: setup ## the records at 1e3 to 1e6 published videos: lineage, impact, the write path, housekeeping
	@$(BIN)/python -m benchmarks.catalog

bench-api: setup ## create and list beside Airflow's own dagRuns; the list at 1e6 renders
	@$(BIN)/python -m benchmarks.api
