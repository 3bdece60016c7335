# SPDX-License-Identifier: Apache-2.0
"""Runs the scenario of `make demo-cluster` as a test."""

from cluster import Cluster
from harness import Checks
from scene import temporary_workspace
from story import DemoScenario


def check(checks: Checks, cluster: Cluster) -> None:
    with temporary_workspace(cluster, checks, "demo scenario") as workspace:
        def expect(description: str, ok: object, found: object = "") -> bool:
            return checks.expect(f"demo scenario: {description}", bool(ok), found)

        scenario = DemoScenario(workspace, lambda *_: None, expect)
        scenario.run()
        moments = [moment.at for moment in scenario.timeline]
        is_ordered = len(moments) == 7 and moments == sorted(moments)
        checks.expect("demo scenario: the timeline has seven moments in order", is_ordered, scenario.timeline)
