"""Changes of single values in TOML, tried on what was parsed and written down between comments."""

import tomllib
from typing import Any

import pytest
import tomlkit

from adapters.toml_edits import DROPPED, Edits, put, taken

TEXT = """\
# a policy
[policy]
version = 3    # raise it

[plans.internet]
min_gap_days = 1

[[plans.internet.measure]]
name = "warn"
day = 2        # the second

[[plans.internet.measure]]
name = "block"
day = 5
"""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("policy.version", 4),
        ("plans.internet.min_gap_days", 3),
        ("plans.internet.measure.block.day", 9),
        ("plans.internet.measure.warn.when", "overdue > 5"),
        ("plans.internet.measure.warn", DROPPED),
        ("plans.internet.measure.warn.day", DROPPED),
        ("plans.internet.measure.warn.when", DROPPED),
    ],
)
def test_what_is_tried_is_what_is_written(path: str, value: object) -> None:
    parsed, written = tomllib.loads(TEXT), tomlkit.parse(TEXT)
    assert put(parsed, path, value)
    assert put(written, path, value)
    text = tomlkit.dumps(written)
    assert tomllib.loads(text) == parsed
    assert taken(parsed, path) == (None if value is DROPPED else value)
    assert "# a policy" in text
    assert "# raise it" in text


@pytest.mark.parametrize(
    "path",
    [
        "plans.tv.min_gap_days", "plans.internet.measure.none.day", "plans.internet.measure.none",
        "policy.version.major", "plans.internet.measure.0.day",
    ],
)  # fmt: skip
def test_a_path_that_leads_nowhere_changes_nothing(path: str) -> None:
    parsed: dict[str, Any] = tomllib.loads(TEXT)
    for value in (1, DROPPED):
        assert not put(parsed, path, value)
    assert parsed == tomllib.loads(TEXT)
    assert taken(parsed, path) is None


def test_of_several_files_one_has_the_place() -> None:
    edits = Edits({"a.x": 1, "b.x": 2, "c.x": 3})
    first: dict[str, Any] = {"a": {"x": 0}}
    second: dict[str, Any] = {"b": {}}
    edits.apply(first)
    edits.apply(second)
    assert (first, second) == ({"a": {"x": 1}}, {"b": {"x": 2}})
    assert edits.unused == {"c.x"}
