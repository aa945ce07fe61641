"""Coordination without a service: one node alone, or the nodes of one host that share a store.

A member is a file that its process holds locked, so that the system says who has died, with a beat in it, so that the
others see who stands still. The files lie in a folder that is named after the store.
"""

import fcntl
import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from adapters.logs import Log
from adapters.lookout import Lookout
from adapters.settings import Unusable
from engine.assignment import Assignment, Settling, assignment, shards_of

LOOK_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 0.5
STILL_SECONDS: Final = 10.0
"""A member that has not moved for so long is taken for gone: it was stopped, and its leases have ended as well."""

_MEMBER: Final = ".member"
_BEAT: Final = b"%020d"


class SoloCoordination:
    """A node that shares its store with nobody works all of its shards."""

    def __init__(self, shards: int) -> None:
        self._all: Final = frozenset(range(shards))

    def wanted(self) -> frozenset[int]:
        """Every shard."""
        return self._all

    def close(self) -> None:
        """There is nobody to be told."""


def members_folder(runtime: Path, store: str) -> Path:
    """Where the nodes of one user that work on ``store`` meet. Raises `Unusable` where it is somebody else's.

    ``runtime`` may be a folder that everybody can write to: another user could have been there first.
    """
    digest = sha256(store.encode()).hexdigest()[:16]
    folder = runtime / f"dms-{os.getuid()}-{digest}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise Unusable(f"{folder}: must be a folder of this user's, which nobody else can write to")
    return folder


class LocalCoordination:
    """A member among the processes of this host. Looks about twice a second, in a thread of its own."""

    def __init__(
        self,
        folder: Path,
        name: str,
        shards: int,
        log: Log,
        look_seconds: float = LOOK_SECONDS,
        still_seconds: float = STILL_SECONDS,
    ) -> None:
        """Joins. Raises OSError where the folder cannot be used."""
        self._folder: Final = folder
        self._name: Final = name
        self._shards: Final = shards
        self._log: Final = log
        self._look_seconds: Final = look_seconds
        self._still_ns: Final = int(still_seconds * 1e9)
        self._own: Final = folder / f"{quote(name, safe='')}{_MEMBER}"
        self._shared: Final = folder / "assignment.json"
        self._settling: Final = Settling(SETTLE_SECONDS)
        self._file: int | None = None
        self._wanted: frozenset[int] | None = None
        self._is_taken = False
        self._look()
        self._lookout: Final = Lookout("members", self._look, self._failed)
        self._lookout.start()

    def wanted(self) -> frozenset[int] | None:
        """The shards that fall to this process; None where the folder could not be read so far."""
        return self._wanted

    def close(self) -> None:
        """Leaves, and says to whom its shards go; the others see it at their next look."""
        self._lookout.stop()
        self._wanted = frozenset()
        if self._file is None:
            return
        if _is_same(self._own, self._file):
            self._own.unlink(missing_ok=True)
            heirs = assignment(self._others(), self._shards, self._read())
            if heirs:
                self._write(heirs)
        os.close(self._file)
        self._file = None

    def _look(self) -> float:
        if not self._beats():
            self._wanted = frozenset()
            return self._look_seconds
        members = {self._name, *self._others()}
        before = self._read()
        found = assignment(members, self._shards, before)
        # Asked also where nothing is to be changed: who was away for a moment was away only then.
        seconds = self._settling.remaining(members, monotonic())
        if found != before:
            if seconds and not members.isdisjoint(before):
                found = before
            else:
                self._write(found)
                self._log.info("shards are assigned anew", members=len(members), to_this=found.count(self._name))
        os.utime(self._shared)  # folders for what is temporary are swept of what nobody has touched for days
        self._wanted = shards_of(found, self._name)
        return self._look_seconds

    def _beats(self) -> bool:
        """Shows that this member moves; False where another process has its name."""
        if self._file is not None and not _is_same(self._own, self._file):
            os.close(self._file)  # somebody has cleared the folder
            self._file = None
        if self._file is None:
            self._file = self._joined()
        if self._file is None:
            return False
        os.pwrite(self._file, _BEAT % _now_ns(), 0)
        return True

    def _joined(self) -> int | None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._own, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            if not self._is_taken:
                self._log.warn("a node of this name works already; this one waits until it is gone", node=self._name)
            self._is_taken = True
            return None
        self._is_taken = False
        return file

    def _others(self) -> set[str]:
        """The names of those that live, besides this one; what the dead have left is cleared away."""
        found = set()
        for path in self._folder.glob(f"*{_MEMBER}"):
            if path != self._own and self._lives(path):
                found.add(_name_of(path))
        return found

    def _lives(self, path: Path) -> bool:
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            beat = os.pread(file, len(_BEAT % 0), 0)
            return not beat.isdigit() or _now_ns() - int(beat) < self._still_ns
        else:
            # Under the lock: whoever takes the name meanwhile finds that its file is not the one of that name any more.
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(file)

    def _read(self) -> Assignment:
        try:
            found = msgspec.json.decode(self._shared.read_bytes(), type=tuple[str, ...])
        except (FileNotFoundError, msgspec.MsgspecError):
            return ()
        return found if len(found) == self._shards else ()

    def _write(self, found: Assignment) -> None:
        draft = self._own.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(found))
        draft.replace(self._shared)

    def _failed(self, failure: Exception) -> None:
        self._log.failure("the members of this host cannot be read; shards stay where they are", failure)


def _is_same(path: Path, file: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(file)
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)


def _name_of(path: Path) -> str:
    return unquote(path.name.removesuffix(_MEMBER))


def _now_ns() -> int:
    """Since the host was started: the same in all of its processes, whoever sets its clock."""
    return int(monotonic() * 1e9)
