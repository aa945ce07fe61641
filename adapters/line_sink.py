"""Where outgoing events go without a broker: JSON lines, to a file that grows or to the standard output."""

import os
from collections.abc import Callable, Sequence
from errno import EINVAL, ENOTSUP
from pathlib import Path
from typing import IO, Final

from engine.ports import OutgoingEvent

_TAIL_BYTES: Final = 16 << 20


class LineSink:
    """Writes each event as a line. When it returns, the lines have left; on a file, they are on disk.

    A process that was killed may have left half a line at a file's end. It was not confirmed, so that it comes again:
    what is there of it is cut off, or it would swallow the line after it.
    """

    def __init__(self, file: Path | None, stream: IO[bytes]) -> None:
        """Appends to ``file``; without one, writes to ``stream``. Raises OSError."""
        self._stream: Final = _opened(file) if file is not None else stream
        self._is_ours: Final = file is not None
        self.on_gone: Callable[[], None] | None = None
        """Called where nobody reads the stream any more."""

    def __call__(self, events: Sequence[OutgoingEvent]) -> None:
        """Writes the events in order; raises OSError."""
        lines = b"".join([line for event in events for line in (event.body, b"\n")])
        try:
            _write_all(self._stream, lines)
            if self._is_ours:
                _to_disk(self._stream)
        except BrokenPipeError:
            if self.on_gone is not None:
                self.on_gone()
            raise

    def close(self) -> None:
        """Closes the file; a stream is its owner's."""
        if self._is_ours:
            self._stream.close()


def _opened(file: Path) -> IO[bytes]:
    if file.is_file():
        _cut_half_line(file)
    return open(file, "ab", buffering=0)


def _write_all(stream: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = stream.write(rest)
        rest = rest[written or 0 :]
    stream.flush()


def _to_disk(stream: IO[bytes]) -> None:
    try:
        os.fsync(stream.fileno())
    except OSError as error:
        if error.errno not in (EINVAL, ENOTSUP):  # a pipe or a device cannot be, and need not be
            raise


def _cut_half_line(file: Path) -> None:
    with open(file, "r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        start = max(0, size - _TAIL_BYTES)
        stream.seek(start)
        tail = stream.read()
        end = tail.rfind(b"\n") + 1
        # Only what began as one of our lines: the file may be another one, named by mistake.
        if end < len(tail) and tail[end : end + 1] == b"{" and (end > 0 or start == 0):
            stream.truncate(start + end)
