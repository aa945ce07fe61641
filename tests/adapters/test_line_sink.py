"""Outgoing events as JSON lines: whole lines, also after a process that was killed in the middle of one."""

import os
import sys
from io import BytesIO
from pathlib import Path

import pytest

from adapters.line_sink import LineSink
from engine.ports import OutgoingEvent


def events(*ids: str) -> list[OutgoingEvent]:
    """Events with bodies of their own."""
    return [OutgoingEvent("ACC-1", id, 0, "key", f'{{"id":"{id}"}}'.encode()) for id in ids]


def test_a_file_grows(tmp_path: Path) -> None:
    """From one life to the next."""
    file = tmp_path / "out.jsonl"
    for some in (events("1", "2"), events("3"), []):
        sink = LineSink(file, BytesIO())
        sink(some)
        sink.close()
    assert file.read_bytes() == b'{"id":"1"}\n{"id":"2"}\n{"id":"3"}\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"id":"1"}\n{"id', b'{"id":"1"}\n'),
        (b'{"id"', b""),
        (b'{"id":"1"}\n', b'{"id":"1"}\n'),
        (b"", b""),
        (b"not ours, without an end", b"not ours, without an end"),
        (b"1\n2", b"1\n2"),
    ],
)
def test_half_a_line_of_ours_is_cut_off(before: bytes, after: bytes, tmp_path: Path) -> None:
    """It was not confirmed and comes again; a file of somebody else's is left as it is."""
    file = tmp_path / "out.jsonl"
    file.write_bytes(before)
    sink = LineSink(file, BytesIO())
    sink(events("2"))
    sink.close()
    assert file.read_bytes() == after + b'{"id":"2"}\n'


def test_without_a_file_the_stream_takes_them_and_stays_open() -> None:
    """It is its owner's."""
    stream = BytesIO()
    sink = LineSink(None, stream)
    sink(events("1"))
    sink.close()
    assert stream.getvalue() == b'{"id":"1"}\n'


def test_a_closed_pipe_is_told() -> None:
    """To who can stop the node, and to the engine, which keeps the events."""
    reading, writing = os.pipe()
    os.close(reading)
    told = []
    with os.fdopen(writing, "wb", buffering=0) as stream:
        sink = LineSink(None, stream)
        sink.on_gone = lambda: told.append(True)
        with pytest.raises(BrokenPipeError):
            sink(events("1"))
    assert told == [True]


def test_a_device_needs_no_disk(tmp_path: Path) -> None:
    """Nor a pipe with a name."""
    sink = LineSink(Path(os.devnull), sys.stdout.buffer)
    sink(events("1"))
    sink.close()
