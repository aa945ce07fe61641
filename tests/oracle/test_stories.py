"""The reference satisfies every story worked out by hand."""

from pathlib import Path

import pytest

from .reference import play
from .stories import STORIES, Story, told


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: Story, tmp_path: Path) -> None:
    """What leaves is what the story's sentence demands, no more and no less."""
    policy = tmp_path / "policy.toml"
    policy.write_text(story.policy, encoding="utf-8")
    outgoing = play(policy, story.lines, until=story.until_instant, confirm=story.confirm)
    assert [told(event) for event in outgoing if event["type"] in story.watch] == list(story.expected)
