# make demo    set up, fetch the language model, pack and unpack a text, compare with other compressors
# make test    set up and run the tests

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MODEL ?= smollm2-135m
SAMPLE ?= examples/sample.txt

.PHONY: demo test test-slow lint types docs clean setup

setup: $(STAMP)

# torch goes first and pinned: left to the resolver, it can bring gigabytes that are not used here.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[torch,dev,docs]' brotli zstandard
	touch $@

demo: $(STAMP)
	@echo "== The language model, fetched once and kept in your cache"
	@$(BIN)/foretell models pull $(MODEL)
	@echo; echo "== Pack $(SAMPLE) (the first run also compiles: allow some minutes)"
	@mkdir -p build
	@$(BIN)/foretell pack -v -f --model $(MODEL) $(SAMPLE) -o build/sample.fore
	@echo; echo "== Unpack it and compare"
	@$(BIN)/foretell unpack -v -f build/sample.fore -o build/sample.txt
	@cmp $(SAMPLE) build/sample.txt && echo "every byte came back"
	@echo; echo "== The same text with other compressors"
	@$(BIN)/foretell bench --model $(MODEL) $(SAMPLE)

test: $(STAMP)
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)
	$(BIN)/mypy --strict src

docs: $(STAMP)
	$(BIN)/mkdocs build --strict

clean:
	rm -rf build site dist .pytest_cache .mypy_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
