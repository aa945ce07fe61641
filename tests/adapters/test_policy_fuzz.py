"""Files that are no policy, by accident or by chance: one clear line each, and never anything but a `PolicyError`."""

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.policy_files import PolicyError, load_policy
from domain.policy import Policy
from tests.adapters.policy_texts import EXAMPLES, MINIMAL, WHOLE, refused


@pytest.mark.parametrize(
    ("content", "line", "complaint"),
    [
        (b"", 1, "empty"),
        (b"\n\n# nothing\n", 1, "empty"),
        (b"[policy]\nname = \"\xff\"\n", 2, "not UTF-8"),
        (b"[policy]\nname = \"\x00\"\n", 2, "not TOML"),
        (b"\xff\xfe[\x00p\x00", 1, "not UTF-8"),
        (b"PK\x03\x04", 1, "not TOML"),
        (b"[policy\n", 1, "not TOML"),
        (b"#" * (1 << 20) + b"#", 1, "larger than 1024 KiB"),
        (b"a = " + b"[" * 100_000, 1, "nested deeper"),
        (b"a." * 400_000, 1, "nested deeper"),
        (b'"""' * 300_000, 1, "not TOML"),
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_a_file_that_is_no_policy_gets_one_clear_line(
    tmp_path: Path, content: bytes, line: int, complaint: str
) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(content)
    error = refused(path)
    assert [fault.line for fault in error.faults] == [line]
    assert complaint in str(error)
    assert "\n" not in str(error)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_policy(path).name == "minimal"


def test_what_is_not_there_or_not_a_file_is_said_so(tmp_path: Path) -> None:
    assert "no such file" in str(refused(tmp_path / "absent.toml"))
    assert "no .toml file" in str(refused(tmp_path))
    os.mkfifo(tmp_path / "pipe.toml")
    assert "not a regular file" in str(refused(tmp_path / "pipe.toml"))
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    assert "loop.toml:1:" in str(refused(tmp_path / "loop.toml"))


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(MINIMAL + '"\\u001b[31m\\nred" = 1\n[entry]\nmin_overdue = "\\u001b[31m"\n', encoding="utf-8")
    assert all(line.isprintable() for line in str(refused(path)).splitlines())


def test_a_file_of_mistakes_is_answered_in_time_and_at_bearable_length(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[attributes]\n" + "".join(f"a{n} = {n}\n" for n in range(60_000)), encoding="utf-8")
    assert len(refused(path).faults) <= 1_000


def test_a_policy_error_travels_to_another_process(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert pickle.loads(pickle.dumps(error)).faults == error.faults


TEXTS = [MINIMAL, WHOLE, *(path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*/*.toml")))]
SCRAPS = [
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "=",
    ",",
    ".",
    "\n",
    "\r",
    "#",
    "-1",
    "true",
    "nan",
    "1e999",
    "\x00",
    "\\u",
]
SCRAPS += [
    "[[segment]]",
    "[plans.internet]",
    "[plans]",
    "[[plans.internet.measure]]",
    "[attributes]",
    "when",
    "2026-13-01",
]


@st.composite
def mutilated(draw: st.DrawFn) -> str:
    """A policy out of which pieces were cut, doubled, moved or replaced."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        put = draw(st.sampled_from(SCRAPS) | st.text(max_size=8) | st.just(text[start:end] * 2))
        text = text[:start] + put + text[end:]
    return text


def loaded(path: Path) -> Policy | PolicyError:
    try:
        return load_policy(path)
    except PolicyError as error:
        return error


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_a_policy_or_a_policy_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(content)
    assert str(loaded(path))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutilated(), mutilated())
def test_any_mutilated_policy_is_a_policy_or_a_policy_error(tmp_path: Path, text: str, managers: str) -> None:
    (tmp_path / "policy.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    (tmp_path / "managers.toml").write_bytes(managers.encode("utf-8", "surrogatepass"))
    outcome = loaded(tmp_path)
    if isinstance(outcome, PolicyError):
        files = {path.name: len(path.read_bytes().split(b"\n")) for path in tmp_path.iterdir()}
        for fault in outcome.faults:
            assert 1 <= fault.line <= files.get(Path(fault.file).name, 1)
            assert str(fault).isprintable()
