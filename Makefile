# Both do all their own set-up on a machine with Python >= 3.10 and git; a second time they start in seconds.
#   make demo     a small platform in a folder, with JupyterLab on it   (ARGS="--dir FOLDER --no-browser …")
#   make test     Python, TypeScript and a real browser: long counts on a small seeded sample
# And for those who work on it:
#   make proof    make test with the full counts
#   make lint     style and types
#   make bench    the benchmarks, side by side with peers

PYTHON ?= python3
ARGS ?=
# One that hangs fails, and does not keep the others waiting.
SECONDS_A_TEST = 900
# Those that mostly wait run beside the others (tests/conftest.py), which saves a third of the time;
# `make test BESIDE=`: one after the other, for a machine with one core or a busy one.
BESIDE = -n 2
# The demo is installed as a user installs it; tests run on the checkout itself.
DEMO := .venv-demo/bin
DEV := .venv/bin
IN_DEV := PATH="$(CURDIR)/$(DEV):$$PATH"

.PHONY: demo test proof lint bench screenshots dev

demo:
	@$(PYTHON) tools/bootstrap.py demo
	@exec $(DEMO)/jupyter-mlinfn demo $(ARGS)

dev:
	@$(PYTHON) tools/bootstrap.py test

test: dev
	cd labextension && $(IN_DEV) jlpm test
	$(IN_DEV) python -m pytest --timeout=$(SECONDS_A_TEST) $(BESIDE) $(ARGS)

proof: export MLINFN_PROOF = 1
proof: SECONDS_A_TEST = 7200
proof: BESIDE =
proof: test

lint: dev
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	cd labextension && $(IN_DEV) jlpm lint:check && $(IN_DEV) jlpm tsc --noEmit

bench: dev
	$(IN_DEV) python -m bench $(ARGS)

screenshots: export MLINFN_SCREENSHOTS = $(CURDIR)/docs/screenshots
screenshots: dev
	$(IN_DEV) python -m pytest tests/ui $(ARGS)
