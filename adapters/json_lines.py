"""Files of events: one JSON text a line, in and out, plain or gzipped, a path or the standard streams."""

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

from engine.ports import OutgoingEvent

LINE_BYTES_MAX: Final = 16 << 20
STANDARD: Final = "-"
_BUFFER_BYTES: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


class InputError(Exception):
    """Something in a file that cannot be used. ``line`` counts from 1; 0 means the whole file."""

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file: Final = file
        self.line: Final = line
        self.message: Final = message
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, int, str]]:
        return InputError, (self.file, self.line, self.message)


def read_lines(file: str) -> Iterator[tuple[int, bytes]]:
    """``(line number, line)`` of a file, or of the standard input for ``-``; blank lines are left out, not uncounted.

    Raises `InputError` for what cannot be opened or unpacked and for a line longer than `LINE_BYTES_MAX`.
    """
    number = 0
    with opened(file) as stream:
        while line := _line(stream, file, number + 1):
            number += 1
            if len(line) > LINE_BYTES_MAX:
                raise InputError(file, number, f"longer than {LINE_BYTES_MAX >> 20} MiB: one event a line")
            line = line.strip()
            if line:
                yield number, line


def _line(stream: IO[bytes], file: str, number: int) -> bytes:
    # Caught here and not around the loop, where it would also catch what the reader of the lines raises.
    try:
        return stream.readline(LINE_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(file, number, why(error)) from None


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """A file, or the standard input for ``-``, past its byte order mark, unpacked where its first bytes say gzip.

    Raises `InputError` if it cannot be opened; what reading raises may be told by `why`.
    """
    with ExitStack() as stack:
        try:
            stream = _source(file, stack)
            if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
                packed = stack.enter_context(gzip.GzipFile(fileobj=stream, mode="rb"))
                stream = io.BufferedReader(packed, _BUFFER_BYTES)
            if stream.peek(len(_BOM))[: len(_BOM)] == _BOM:
                stream.read(len(_BOM))
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(file, 0, why(error)) from None
        yield stream


def _source(file: str, stack: ExitStack) -> "io.BufferedReader[Any]":
    if file != STANDARD:
        return io.BufferedReader(stack.enter_context(open(file, "rb", buffering=0)), _BUFFER_BYTES)
    standard = sys.stdin.buffer
    # Not wrapped once more, which would wait for a full buffer where a pipe has brought one line.
    return standard if isinstance(standard, io.BufferedReader) else io.BufferedReader(standard)


def why(error: Exception) -> str:
    """What went wrong with reading a file, for a message."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"the gzip file is damaged: {error}"


class LineWriter:
    """Writes bodies as lines to a stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream: Final = stream

    def write(self, body: bytes) -> None:
        """One line. ``body`` is one JSON text without line breaks."""
        assert b"\n" not in body, "a JSON line holds no line break"
        self._stream.write(body)
        self._stream.write(b"\n")

    def write_events(self, events: Iterable[OutgoingEvent]) -> None:
        """Their bodies, a line each."""
        for event in events:
            self.write(event.body)


@contextmanager
def line_writer(file: str | None) -> Iterator[LineWriter]:
    """A writer to ``file``, which appears, or is replaced, as a whole when the block ends well; else it is as it was.

    A name that ends in ``.gz`` is gzipped, equal lines to equal bytes. None or ``-`` is the standard output; it and
    what is no regular file (a device, a pipe) is written to directly. Raises OSError, a BrokenPipeError among them.
    """
    if file is None or file == STANDARD:
        try:
            yield LineWriter(sys.stdout.buffer)
        finally:
            sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(file))  # a link stays a link
    if target.exists() and not target.is_file():
        with open(target, "wb", buffering=_BUFFER_BYTES) as raw:
            yield LineWriter(raw)
        return
    # In the same folder, since a rename is atomic within one file system only.
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        with open(draft, "wb", buffering=_BUFFER_BYTES) as raw:
            with _packing(raw, target.name.endswith(".gz")) as stream:
                yield LineWriter(stream)
            raw.flush()
            os.fsync(raw.fileno())
        if target.exists():
            os.chmod(draft, stat.S_IMODE(target.stat().st_mode))
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def _packing(raw: IO[bytes], wanted: bool) -> Iterator[IO[bytes]]:
    if not wanted:
        yield raw
        return
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        io.BufferedWriter(packed, _BUFFER_BYTES) as stream,  # a GzipFile of 3.11 packs each write by itself
    ):
        yield stream
