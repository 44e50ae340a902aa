# Both do all their own set-up on a machine with Python >= 3.10 and git; a second time they start in seconds.
#   make demo     a small platform in a folder, with JupyterLab on it   (ARGS="--dir FOLDER --no-browser …")
#   make test     Python, TypeScript and a real browser: long counts on a small seeded sample
#                 (ARGS=tests/gpu: a room; ARGS=tests/gpu/test_reader.py: a file; then without TypeScript)
# And for those who work on it (CONTRIBUTING.md):
#   make quick    in the middle of something: types, TypeScript, and what needs no browser and no hub
#   make proof    make test with the full counts
#   make lint     style and types
#   make coverage make test, and which lines and branches it ran, in all processes that it started
#   make bench    the benchmarks, side by side with peers

PYTHON ?= python3
ARGS ?=
# One that hangs fails, with its stack, and does not keep the others waiting.
SECONDS_A_TEST = 900
# Processes that run tests: as many as there is work for (tests/support/lanes.py). `make test WORKERS=0`: one.
WORKERS = auto
# The demo is installed as a user installs it; tests run on the checkout itself.
DEMO := .venv-demo/bin
DEV := .venv/bin
IN_DEV := PATH="$(CURDIR)/$(DEV):$$PATH"

# Seconds that a test waits for what does not come.
PATIENCE = 600
PYTEST = MLINFN_PATIENCE=$(PATIENCE) $(IN_DEV) python -m pytest --timeout=$(SECONDS_A_TEST) -n $(WORKERS)
# Whoever names tests wants those and nothing else.
TYPESCRIPT = $(if $(findstring tests/,$(ARGS)),,cd labextension && $(IN_DEV) jlpm test)

.PHONY: demo test quick proof lint coverage bench screenshots dev

demo:
	@$(PYTHON) tools/bootstrap.py demo
	@exec $(DEMO)/jupyter-mlinfn demo $(ARGS)

dev:
	@$(PYTHON) tools/bootstrap.py test

test: dev
	$(TYPESCRIPT)
	$(PYTEST) $(ARGS)

quick: dev
	$(DEV)/mypy
	cd labextension && $(IN_DEV) jlpm tsc --noEmit && $(IN_DEV) jlpm test
	$(PYTEST) -m "not slow" $(ARGS)

proof: export MLINFN_PROOF = 1
proof: SECONDS_A_TEST = 7200
proof: WORKERS = 0
proof: test

lint: dev
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	cd labextension && $(IN_DEV) jlpm lint:check && $(IN_DEV) jlpm tsc --noEmit

# Of all processes that the tests start; a report by module, and .build/coverage/coverage.json.
coverage: dev
	# With what earlier runs kept, the lines that make it would not run.
	rm -rf .build/coverage "$${XDG_CACHE_HOME:-$$HOME/.cache}/jupyter-mlinfn/tests"
	MLINFN_PATIENCE=$(PATIENCE) $(IN_DEV) python -m coverage run -m pytest --timeout=$(SECONDS_A_TEST) -n $(WORKERS) $(ARGS)
	$(IN_DEV) python -m coverage combine -q
	$(IN_DEV) python -m coverage json -q
	$(IN_DEV) python -m coverage report --skip-covered

bench: dev
	$(IN_DEV) python -m bench $(ARGS)

screenshots: export MLINFN_SCREENSHOTS = $(CURDIR)/docs/screenshots
screenshots: dev
	$(IN_DEV) python -m pytest tests/ui $(ARGS)
