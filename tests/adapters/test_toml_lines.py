"""The lines of keys, found beside the standard parser: exact for what it accepts, harmless for what it does not."""

import contextlib
import time
import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.toml_lines import DEPTH_MAX, Path, TooDeep, line_at, lines_of
from tests.adapters.policy_texts import EXAMPLES, WHOLE

TRICKY = '''
a = """
[b]
c = 1""" # [d]
'e' = 'f = [ { '
"g.h".i = [ 1, # one ] "
  2, [ 3,
    4 ] ]
[j."k]l"]
m.n.o = { p = 1, q = { r = [
  { s = 1 }, { t = 2 } ] } }
u = "\\\\"
  v = "\\""
[[w]]
x = 1
[w.y]
z = 1
[[w]]
x = 2
[[w.aa]]
bb = 1
[[w.aa]]
bb = 2
'''


def leaves(value: object, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    else:
        yield path


@pytest.mark.parametrize("text", [WHOLE, *(path.read_text() for path in sorted(EXAMPLES.glob("*/*.toml"))), TRICKY])
def test_every_value_that_the_parser_finds_stands_on_a_line_that_names_it(text: str) -> None:
    lines, rows = lines_of(text), text.split("\n")
    for path in leaves(tomllib.loads(text)):
        key = next(str(part) for part in reversed(path) if isinstance(part, str))
        position = len(path) - 1 - [*reversed(path)].index(key) + 1
        assert key in rows[line_at(lines, path[:position]) - 1], path


def test_lines_are_those_that_an_editor_shows() -> None:
    lines = lines_of(TRICKY)
    expected = {
        ("a",): 2,
        ("e",): 5,
        ("g.h", "i"): 6,
        ("g.h", "i", 1): 7,
        ("g.h", "i", 2, 1): 8,
        ("j", "k]l", "m", "n", "o"): 10,
        ("j", "k]l", "m", "n", "o", "q", "r", 1, "t"): 11,
        ("j", "k]l", "v"): 13,
        ("w", 0, "x"): 15,
        ("w", 0, "y", "z"): 17,
        ("w", 1, "x"): 19,
        ("w", 1, "aa", 1, "bb"): 23,
    }
    assert {path: line_at(lines, path) for path in expected} == expected


def test_what_is_not_in_the_text_stands_where_its_surroundings_do() -> None:
    lines = lines_of(TRICKY)
    assert line_at(lines, ("w", 0, "absent", "too")) == 14
    assert line_at(lines, ("absent",)) == 1


@pytest.mark.parametrize(
    "text",
    [f"a = {'[' * 50}", f"a = {'{b = ' * 50}", "a." * 50 + "a = 1", f"[{'a.' * 50}a]", f"a = {{{'b.' * 50}c = 1}}"],
)
def test_what_would_recurse_too_deeply_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(TooDeep) as deep:
        lines_of(f"\n{text}\n")
    assert deep.value.line == 2
    assert str(DEPTH_MAX) in str(deep.value)


@given(st.text(alphabet="ab=.[]{}\"'#,\n\\ 1\r\x00", max_size=200))
def test_no_text_makes_it_stumble(text: str) -> None:
    try:
        lines = lines_of(text)
    except TooDeep as deep:
        lines = {(): deep.line}
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@pytest.mark.parametrize("piece", ["a.", "[", '"""', "'", "a=1\n", "[[a]]\n", "x=[1,\n", '"\\"', "{a=1,", "#", "\\"])
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    start = time.thread_time()
    with contextlib.suppress(TooDeep):
        lines_of(piece * (100_000 // len(piece)))
    assert time.thread_time() - start < 5
