# `make` alone prints what there is.  The virtual environment is .venv in this checkout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The last tflite-runtime needs numpy 1 and so a home of its own; tests run models in it.
VENV_214 := .venv-tflite-2.14
PYTHON_214 ?= $(PYTHON)
export TF_CPP_MIN_LOG_LEVEL ?= 3
export EDGERNN_TFLITE214_PYTHON ?= $(CURDIR)/$(VENV_214)/bin/python

.PHONY: wheels study single-file consumers lock docs test-long fuzz record-instructions runners help setup system demo test lint bench golden pi pi-down pi-vm pi-vm-down android android-down check-readme clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 21

setup: $(VENV)/.installed ## make .venv with all Python packages (nothing to do when it is current)

# First everything by its hash; the second step adds edgernn itself, which has none.
$(VENV)/.installed: pyproject.toml constraints.txt requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[profile,train,audio,search,test,lint]'
	touch $@

lock: setup ## write requirements.lock, the hashes of what constraints.txt names; commit the file
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet pyproject.toml $(foreach extra,profile train audio search test lint,--extra $(extra)) \
		--constraint constraints.txt --generate-hashes --universal --no-strip-extras \
		--python-version 3.11 --no-annotate --no-header --output-file requirements.lock

$(VENV_214)/.installed: Makefile
	$(PYTHON_214) -m venv $(VENV_214)
	@if $(PYTHON_214) -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then \
		$(VENV_214)/bin/python -m pip install --quiet tflite-runtime==2.14.0 'numpy==1.26.4'; \
	else \
		rm -f $(VENV_214)/bin/python; \
		echo 'tflite-runtime 2.14 has no wheel for Python 3.12 or later: the tests in it are skipped.'; \
		echo 'With an older Python they run: make test PYTHON_214=python3.11'; \
	fi
	touch $@

system: ## install the Debian packages that tests need (or print the command)
	PYTHON=$(PYTHON) .ci/system

demo: setup ## train on spoken digits, export, profile here, show the table (demo/report.md)
	$(BIN)/edgernn demo -o demo

test: system setup $(VENV_214)/.installed ## every test but the long ones; PI=pi@host, ANDROID_SERIAL=…: also on devices of yours
	$(BIN)/python -m pytest -n 2 --dist worksteal $(if $(PI),--pi $(PI)) \
		$(if $(ANDROID_SERIAL),--android $(ANDROID_SERIAL))

test-long: system setup $(VENV_214)/.installed ## the tests marked `long`, which `make test` leaves out (up to an hour)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

golden: setup ## a pretrained GRU encoder and decoder says 1,000 words in each format and scheme
	$(BIN)/python -m pytest -q --golden-words 1000 tests/export/test_pronunciation.py

lint: setup ## format, lint, types, and that imports point down
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

study: setup ## compare GRU and LSTM on all tasks into docs/choosing.md (2.5 hours; resumable)
	$(BIN)/python -m bench.study

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

# PyTorch and litert-torch are gigabytes that only this comparison needs.
LITERT_TORCH := build/litert-torch
export EDGERNN_LITERT_TORCH_PYTHON ?= $(CURDIR)/$(LITERT_TORCH)/bin/python

$(LITERT_TORCH)/.installed: bench/litert-torch.txt
	$(PYTHON) -m venv $(LITERT_TORCH)
	$(LITERT_TORCH)/bin/python -m pip install --quiet --requirement bench/litert-torch.txt
	touch $@

bench: $(VENV)/.bench $(if $(filter torch,$(PEERS)),$(LITERT_TORCH)/.installed) ## speed and size beside the peers, as ratios; PEERS=torch: beside litert-torch (minutes)
	$(BIN)/python -m bench bench$(addprefix -,$(PEERS)).json $(PEERS)

# Not in `make setup`: with onnxruntime-web half a gigabyte that only tests of other runtimes need.
$(VENV)/.consumers: $(VENV)/.installed tests/consumers/package.json
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[consumers]'
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix tests/consumers
	touch $@

consumers: $(VENV)/.consumers ## try the files in OpenVINO, OpenCV and onnxruntime-web; record it in docs/support.md
	$(BIN)/python -m tests.consumers
	$(BIN)/python -m edgernn.export.support > docs/support.md

# By their names: '.[docs]' would build edgernn's extension once more, a minute or two.
$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -c "import importlib.metadata as m; print(*(one.split(';')[0] for one in m.requires('edgernn') if 'extra == \"docs\"' in one), sep='\n')" > $(VENV)/docs.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement $(VENV)/docs.txt
	touch $@

docs: $(VENV)/.docs ## build the documentation into site/ (guides, Python and command line reference)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "site/index.html is ready"

$(VENV)/.wheels: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[wheels]'
	touch $@

wheels: $(VENV)/.wheels ## wheels for Linux: x86-64, 64-bit and 32-bit ARM (dist/)
	$(BIN)/python .ci/wheels.py dist

pi: system setup ## start an emulated Raspberry Pi for --device pi (as root; BOARD=5: a Pi 5)
	$(BIN)/python -m tests.pi up $(BOARD)

pi-down: ## stop it and forget it
	$(BIN)/python -m tests.pi down

pi-vm: setup ## start a virtual one: its own kernel, and a clock that counts instructions
	$(BIN)/python -m tests.pi vm-up

pi-vm-down: ## stop it and forget it
	$(BIN)/python -m tests.pi vm-down

android: system setup ## start a loopback Android device for --device android (ABI=arm64: in qemu)
	$(BIN)/python -m tests.android up $(ABI)

android-down: ## stop it and forget it
	$(BIN)/python -m tests.android down

fuzz: setup ## let a fuzzer invent hostile .ernn files for FUZZ_SECONDS (default an hour)
	$(BIN)/python -m tests.edgernn.runtime.fuzzing $(or $(FUZZ_SECONDS),3600)

record-instructions: setup ## record what steps of the C library execute on ARM; commit the file
	$(BIN)/python -m tests.edgernn.runtime.instructions

single-file: setup ## the C library as ernn.c and ernn.h, with a CMake package (build/ernn)
	$(BIN)/python -m edgernn.runtime.single_file build/ernn

runners: ## build what runs models on targets, for x86_64, arm64 and armv7 (build/runners)
	sh edgernn/runtime/runner/build.sh build/runners
	sh edgernn/runtime/runner/build_library_run.sh build/runners

check-readme: setup ## the README's help texts and exit codes are those of the program
	$(BIN)/python -m pytest -q tests/test_readme.py

clean: ## remove both environments and what tools left behind
	rm -rf $(VENV) $(VENV_214) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo dist site
