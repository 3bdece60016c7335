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
        moments = [moment.at for moment in story.timeline]
        checks.expect("the story: in the order of a real one", len(moments) == 7 and moments == sorted(moments), story.timeline)
