# SPDX-License-Identifier: GPL-3.0-or-later
# make run    set up and run the demo: call service and kiosk on this machine (ARGS=--check: one call, then stop)
# make test   set up and run every check and test (ARGS='-m smoke' or any other pytest arguments)
# make lab    install into a virtual machine with real kernel devices and test there (root; ARGS as above)
# make long   measure everything at full length, results in docs/results
# make benchmark  one of them, with malloc set as in the unit (ARGS='hotplug --short')
# make fresh  prove both in clean Debian roots (SUITES=trixie: in that one only)

SHELL := /bin/bash
# Debian's own interpreter, never just the first in PATH: its gi, gpiod and alsaaudio fit only that one.
PYTHON := /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SUITES ?= bookworm trixie
# Memory is measured as the service will have it.
MALLOC := $(shell sed -n 's/^Environment=MALLOC_/MALLOC_/p' systemd/callagent.service)

.PHONY: run test check pytest fresh lab benchmark long clean

run: $(VENV)/installed-run
	$(BIN)/callagent demo $(ARGS)

test: check pytest

check: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml --no-cache
	$(BIN)/vulture

# Those that measure gaps and delays have the machine for themselves. The others wait half of their time: two at
# once, the longest files first.
ALONE := $(addprefix tests/integration/test_,hotplug_in_call.py rtc_chromium.py rtc_congestion.py rtc_media.py \
	rtc_relay.py sfu.py swap_in_call.py two_networks.py) \
	$(addprefix tests/browser/test_,group.py group_kiosk.py group_relay.py group_sfu.py instruments.py \
	kiosk_call.py page_to_page.py)

pytest: $(VENV)/installed-test
ifeq ($(ARGS),)
	failed=0; \
	$(BIN)/pytest -n 2 --dist loadfile $(addprefix --ignore=,$(ALONE)) \
		tests/screen tests/browser tests/integration tests/unit || failed=1; \
	$(BIN)/pytest $(ALONE) || failed=1; \
	exit $$failed
else
	$(BIN)/pytest $(ARGS)
endif

fresh:
	.ci/packages fresh
	set -e; for suite in $(SUITES); do SUITE=$$suite tests/fresh/run; done

# A guest that is twenty times slower takes minutes for what takes seconds here.
lab: $(VENV)/installed-test | packages-lab
	tests/lab/build >/dev/null
	tests/lab_screen/build >/dev/null
ifeq ($(ARGS),)
	failed=0; \
	$(BIN)/pytest tests/lab --timeout=300 || failed=1; \
	$(BIN)/pytest tests/lab_screen --timeout=300 || failed=1; \
	exit $$failed
else
	$(BIN)/pytest --timeout=300 $(ARGS)
endif

benchmark: $(VENV)/installed-test
	$(MALLOC) $(BIN)/python -m benchmarks $(ARGS)

long: $(VENV)/installed-test | packages-lab packages-bench
	$(MALLOC) $(BIN)/python -m benchmarks.long

clean:
	rm -rf $(VENV)

# The packages are looked at every time: somebody may have removed one. It takes 0.1 s.
.PHONY: packages-run packages-test packages-lab packages-bench
packages-run:
	@.ci/packages run
packages-test:
	@.ci/packages test
packages-lab:
	@.ci/packages lab
packages-bench:
	@.ci/packages bench

$(VENV)/created: | packages-run
	@if [ -e $(VENV) ] && ! $(BIN)/python -c 'import sys; sys.exit(not sys.base_prefix == "/usr")' 2>/dev/null; then rm -rf $(VENV); fi
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed-run: pyproject.toml $(VENV)/created | packages-run
	$(BIN)/pip install --quiet -e '.[server,apm]'
	@touch $@

$(VENV)/installed-test: pyproject.toml $(VENV)/created | packages-run packages-test
	$(BIN)/pip install --quiet -e '.[server,dev]'
	@touch $@ $(VENV)/installed-run
