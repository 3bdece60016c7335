# SPDX-License-Identifier: Apache-2.0
# Entry points. On Debian and Ubuntu, every target first installs the packages that it needs.
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.DEFAULT_GOAL := build
.PHONY: build demo test test-fast test-long bench fuzz cluster-up cluster-down demo-cluster install clean help

help:           ## show this list
	@sed -n 's/^\([a-z-]*\): *## */\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build:          ## build the program, the library and the simulated GPUs into build/bin and build/lib
	@scripts/build

demo:           ## run an inference server that loses its GPU under load and recovers, in under 30 seconds
	@scripts/build
	@scripts/demo

test:           ## run all tests
	@scripts/bootstrap test
	@scripts/test

test-fast:      ## run only the unit tests and the documentation examples
	@scripts/bootstrap fast
	@scripts/test --fast

test-long:      ## run all tests, and the test suites of bash, coreutils and CPython with the library preloaded
	@scripts/bootstrap test
	@scripts/test --long

bench:          ## measure the figures of docs/performance.md
	@scripts/bootstrap test
	@scripts/build
	@bench/run

fuzz:           ## run each fuzzer for ten minutes (FUZZ_SECONDS=600)
	@scripts/bootstrap test
	@scripts/fuzz $${FUZZ_SECONDS:-600}

cluster-up:     ## start a real two-node Kubernetes cluster on this machine, for tests (tests/cluster)
	@scripts/build
	@tests/cluster/up

cluster-down:   ## stop that cluster and delete its data
	@tests/cluster/down --purge

demo-cluster:   ## make the GPUs of a Kubernetes node fail under load and recover, in about a minute
	@scripts/build
	@tests/cluster/demo

install:        ## install into $(DESTDIR)$(PREFIX)
	@scripts/build
	@cmake --install build --prefix "$(PREFIX)"

clean:          ## remove all build products
	rm -rf build build-*
