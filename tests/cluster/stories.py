# SPDX-License-Identifier: Apache-2.0
"""The story of the demo, as a test."""

from cluster import Cluster
from harness import Checks
from scene import scene
from story import Story


def check(checks: Checks, cluster: Cluster) -> None:
    with scene(cluster, checks, "the story") as place:
        story = Story(place, lambda *_: None, lambda what, ok, found="": checks.expect(f"the story: {what}", bool(ok), found))
        story.tell()
        order = [moment.what for moment in sorted(story.timeline, key=lambda moment: moment.at)]
        checks.expect("the story: in the order of a real one", order.index("armed") < order.index("first failing call")
                      < order.index("crash") < order.index("serving again") < order.index("restored"), order)
