# SPDX-License-Identifier: Apache-2.0
"""Defines how the tests of a module run, and their names.

A module has `GROUPS`, a list of Group, and may have `CRDS`, the CustomResourceDefinitions that its tests need."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from drill import SharedChecks


@dataclass
class Group:
    """Functions that run in the same way. run(checks, cluster, tests) runs those of them that were selected."""

    run: Callable
    tests: list


def in_cluster(checks, cluster, tests: list) -> None:
    """Runs each test(checks, cluster)."""
    for test in tests:
        test(checks, cluster)


def in_one_namespace(checks, cluster, tests: list) -> None:
    """Runs each test(checks, cluster, namespace) in the same namespace."""
    with cluster.namespace() as namespace:
        for test in tests:
            test(checks, cluster, namespace)


def in_own_namespaces(checks, cluster, tests: list) -> None:
    """Runs each test(checks, cluster, namespace) in its own namespace. The tests run in parallel, because they mostly
    wait for etcd. Raises the first exception after all tests have ended."""
    shared = SharedChecks(checks)

    def run(test) -> None:
        with cluster.namespace(wait=False) as namespace:
            test(shared, cluster, namespace)

    with ThreadPoolExecutor(len(tests)) as pool:
        futures = [pool.submit(run, test) for test in tests]
    for future in futures:
        future.result()


def _test_name(module: ModuleType, test: Any) -> str:
    """Returns a name such as kinds::check_owners or kill_points::check_kind[kind=Deployment]."""
    if not isinstance(test, partial):
        return f"{module.__name__}::{test.__name__}"
    arguments = (f"{name}={getattr(value, '__name__', value)}" for name, value in test.keywords.items())
    return f"{module.__name__}::{test.func.__name__}[{', '.join(arguments)}]"


def test_names(module: ModuleType) -> list[str]:
    return [_test_name(module, test) for group in module.GROUPS for test in group.tests]


def require_complete(modules: list[ModuleType]) -> None:
    """Raises AssertionError if a file of this folder has groups but is not in `modules`, or if a function check_* of a
    module is neither in its groups nor used by its other functions."""
    files = {path.stem for path in Path(__file__).parent.glob("*.py") if "\nGROUPS = " in path.read_text()}
    unknown = files - {module.__name__ for module in modules}
    assert not unknown, f"not in the lists of tests/cluster/run: {', '.join(sorted(unknown))}"
    for module in modules:
        text = Path(str(module.__file__)).read_text()
        unused = [name for name in vars(module) if name.startswith("check_") and len(re.findall(rf"\b{name}\b", text)) < 2]
        assert not unused, f"{module.__name__}: not in GROUPS: {', '.join(unused)}"


def run_tests(checks, cluster, module: ModuleType, selected: list[str]) -> None:
    """Runs the tests of the module whose names are in `selected`."""
    for plural in getattr(module, "CRDS", ()):
        cluster.install_crd(plural)
    for group in module.GROUPS:
        if tests := [test for test in group.tests if _test_name(module, test) in selected]:
            group.run(checks, cluster, tests)
