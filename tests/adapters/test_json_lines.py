"""Files of events: lines in, lines out, and what is said of a file that is none."""

import gzip
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import json_lines
from adapters.json_lines import InputError, line_writer, read_lines
from engine.ports import OutgoingEvent

TEXT = b'{"id":"a"}\n\n  \r\n{"id":"b"}\r\n\t{"id":"c"} '
LINES = [(1, b'{"id":"a"}'), (4, b'{"id":"b"}'), (5, b'{"id":"c"}')]


class Standard:
    """A standard stream, as far as its bytes are concerned."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A file to be; afterwards nothing else may lie beside it."""
    path = tmp_path / "events.jsonl"
    yield path
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def fault_of(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        list(read_lines(str(path)))
    return str(raised.value).replace(str(path), "FILE")


def write_and_fail(name: str | None, line: bytes) -> None:
    with line_writer(name) as writer:
        writer.write(line)
        raise RuntimeError


def test_lines_come_with_their_numbers(file: Path) -> None:
    """Blank ones are left out but counted; a line's ends and the last line's missing end do not matter."""
    file.write_bytes(TEXT)
    assert list(read_lines(str(file))) == LINES


def test_a_byte_order_mark_is_dropped(file: Path) -> None:
    """Only before the first line: anywhere else it is somebody's text."""
    file.write_bytes(b"\xef\xbb\xbf" + TEXT + b"\xef\xbb\xbf")
    assert list(read_lines(str(file))) == [*LINES[:2], (5, LINES[2][1] + b" \xef\xbb\xbf")]


def test_gzip_is_told_by_the_first_bytes(file: Path) -> None:
    """Whatever the name, also in several members, also with a byte order mark inside."""
    file.write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT[:5]) + gzip.compress(TEXT[5:]))
    assert list(read_lines(str(file))) == LINES


def test_the_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed or not; it stays open."""
    for content in (TEXT, gzip.compress(TEXT)):
        standard = Standard(content)
        monkeypatch.setattr(sys, "stdin", standard)
        assert list(read_lines("-")) == LINES


def test_lines_come_as_they_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe's first line is there before its second one was written."""
    reading, writing = os.pipe()
    with open(writing, "wb", buffering=0) as source, open(reading, "rb") as sink:
        monkeypatch.setattr(sys, "stdin", type("Pipe", (), {"buffer": sink}))
        source.write(b"1\n")
        lines = read_lines("-")
        assert next(lines) == (1, b"1")
        source.write(b"2\n")
        assert next(lines) == (2, b"2")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_lines(file: Path, content: bytes) -> None:
    """Nor has one of blank lines."""
    file.write_bytes(content)
    assert list(read_lines(str(file))) == []


def test_a_line_has_a_limit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is one endless line is refused, not read into memory."""
    monkeypatch.setattr(json_lines, "LINE_BYTES_MAX", 1 << 20)
    most = b"x" * ((1 << 20) - 1)
    file.write_bytes(most + b"\n" + most + b"xx\n")
    lines = read_lines(str(file))
    assert next(lines) == (1, most)
    with pytest.raises(InputError, match=r"events.jsonl:2: longer than 1 MiB: one event a line"):
        next(lines)


def test_what_cannot_be_read_is_said_in_a_line(file: Path, tmp_path: Path) -> None:
    """With the file's name, and with the line as far as it is known."""
    assert fault_of(file) == "FILE: cannot be read: No such file or directory"
    assert fault_of(tmp_path) == "FILE: cannot be read: Is a directory"
    lines = b"".join(b"%d\n" % number for number in range(100_000))
    file.write_bytes(gzip.compress(lines)[:100_000])
    assert fault_of(file).startswith("FILE:")
    assert "the gzip file is damaged" in fault_of(file)


def test_the_reader_of_lines_may_fail_by_itself(file: Path) -> None:
    """What it raises is not taken for a fault of the file."""
    file.write_bytes(TEXT)
    lines = read_lines(str(file))
    next(lines)
    with pytest.raises(EOFError):
        lines.throw(EOFError)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_what_was_written_can_be_read(tmp_path: Path, name: str) -> None:
    """Bodies become lines, packed where the name says so; the same lines are the same bytes."""
    path = tmp_path / name
    events = [OutgoingEvent("A", f"A/{number}", number, "key", b'{"id":"%d"}' % number) for number in range(3)]
    contents = []
    for _ in range(2):
        with line_writer(str(path)) as writer:
            writer.write(b"{}")
            writer.write_events(events)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert list(read_lines(str(path))) == [(1, b"{}"), (2, b'{"id":"0"}'), (3, b'{"id":"1"}'), (4, b'{"id":"2"}')]


def test_a_file_is_replaced_as_a_whole_or_not_at_all(file: Path) -> None:
    """Until the end the old one stands; after a failure it still does."""
    file.write_bytes(b"old\n")
    file.chmod(0o640)
    with pytest.raises(RuntimeError):
        write_and_fail(str(file), b"new")
    assert file.read_bytes() == b"old\n"
    with line_writer(str(file)) as writer:
        writer.write(b"new")
        assert file.read_bytes() == b"old\n"
    assert file.read_bytes() == b"new\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    """What it points to is replaced."""
    link = tmp_path / "latest"
    link.symlink_to(file)
    with line_writer(str(link)) as writer:
        writer.write(b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new\n"


def test_a_device_is_written_to_and_not_replaced() -> None:
    """Renaming a file over /dev/null would be a surprise."""
    with line_writer("/dev/null") as writer:
        writer.write(b"nothing")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("name", [None, "-"])
def test_the_standard_output_stays_open(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """And holds what was written before a failure."""
    standard = Standard()
    monkeypatch.setattr(sys, "stdout", standard)
    with pytest.raises(RuntimeError):
        write_and_fail(name, b"1")
    assert standard.buffer.getvalue() == b"1\n"


def test_where_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    """Before any work is done."""
    with pytest.raises(FileNotFoundError), line_writer(str(tmp_path / "no" / "out")):
        raise AssertionError("must not begin")


@given(st.binary(max_size=300))
def test_any_bytes_are_lines_or_a_fault(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No file is read with a traceback."""
    path = tmp_path_factory.getbasetemp() / "any"
    for each in (content, b"\x1f\x8b" + content, gzip.compress(content)[: len(content)]):
        path.write_bytes(each)
        with suppress(InputError):
            for _, line in read_lines(str(path)):
                assert line.strip() == line != b""
