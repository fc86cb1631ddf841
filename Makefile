# Every command makes its own environment: nothing but Python 3.11 or later is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint format bench clean

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "diabolo needs Python 3.11 or later; set PYTHON=python3.x")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

demo: $(INSTALLED)
	mkdir -p out
	$(BIN)/diabolo fit digits -o out/model.safetensors --seed 0 --force
	$(BIN)/diabolo encode out/model.safetensors digits -o out/codes.csv --force
	$(BIN)/diabolo report out/model.safetensors digits -o out/report.html --force

test: $(INSTALLED) lint
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python benchmarks/speed.py --small
	$(BIN)/python benchmarks/reconstruction.py --small

clean:
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache
