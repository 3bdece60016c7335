# SPDX-License-Identifier: Apache-2.0
"""Runs the scenario of the demo as a test."""

from cluster import Cluster
from harness import Checks
from scene import scene
from story import Story


def check(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "demo scenario") as place:
        def expect(description: str, ok: object, found: object = "") -> bool:
            return checks.expect(f"demo scenario: {description}", bool(ok), found)

        story = Story(place, lambda *_: None, expect)
        story.play()
        moments = [moment.at for moment in story.timeline]
        is_ordered = len(moments) == 7 and moments == sorted(moments)
        checks.expect("demo scenario: the timeline has seven moments in order", is_ordered, story.timeline)
