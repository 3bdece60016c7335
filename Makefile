# SPDX-License-Identifier: Apache-2.0
# The front door: every target does its own set-up on a fresh Debian or Ubuntu and says what it does.
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.DEFAULT_GOAL := build
.PHONY: build demo test test-fast test-long bench fuzz cluster-up cluster-down demo-cluster install clean help

help:           ## this list
	@sed -n 's/^\([a-z-]*\): *## */\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build:          ## the command line, the library and the simulated GPUs, into build/bin and build/lib
	@scripts/build

demo:           ## an inference server loses its GPU under load and comes back, in under 30 seconds
	@scripts/build
	@scripts/demo

test:           ## all tests
	@scripts/bootstrap test
	@scripts/test

test-fast:      ## unit tests and documentation examples only
	@scripts/bootstrap fast
	@scripts/test --fast

test-long:      ## all tests, and the test suites of bash, coreutils and CPython under the preload
	@scripts/bootstrap test
	@scripts/test --long

bench:          ## the numbers of docs/performance.md
	@scripts/bootstrap test
	@scripts/build
	@bench/run

fuzz:           ## the fuzzers for ten minutes each (FUZZ_SECONDS=600)
	@scripts/bootstrap test
	@scripts/fuzz $${FUZZ_SECONDS:-600}

cluster-up:     ## a real two-node Kubernetes on this machine, for tests (tests/cluster)
	@scripts/build
	@tests/cluster/up

cluster-down:   ## ends it, and nothing of it is left
	@tests/cluster/down --purge

demo-cluster:   ## a node of a real Kubernetes loses its GPUs under load, and all comes back, in about a minute
	@scripts/build
	@tests/cluster/demo

install:        ## into $(DESTDIR)$(PREFIX)
	@scripts/build
	@cmake --install build --prefix "$(PREFIX)"

clean:          ## removes everything that was built
	rm -rf build build-*
