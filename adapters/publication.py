"""A published policy: the files as their author wrote them, with who, when and why, packed into one piece.

The version that it was published under goes over the one in its files: an old policy that is published again is another
version, whatever its files say.
"""

import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from adapters.faults import Fault
from adapters.policy_files import ENGINE_SETTINGS, FILES_MAX, MANAGERS, PolicyError, load_policy
from adapters.toml_tables import FILE_BYTES_MAX
from domain.policy import Policy

UNPACKED_BYTES_MAX: Final = 64 << 20


class Unreadable(Exception):
    """What was published is not a policy that this release can read; the text says why."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """``at`` is in microseconds; ``again`` the number of the issue that this one repeats."""

    name: str
    version: int
    author: str
    at: int
    note: str
    files: dict[str, bytes]
    again: int | None = None

    def packed(self) -> bytes:
        """As it lies on a shelf."""
        return zlib.compress(msgspec.msgpack.encode(self))

    def policy(self, shown_in: str) -> Policy:
        """The policy, of this version. Raises `PolicyError`, in whose faults the files are in ``shown_in``."""
        return replace(policy_in(self.files, shown_in), version=self.version)


def policy_in(files: Mapping[str, bytes], shown_in: str) -> Policy:
    """The policy that files say. Raises `PolicyError`, in whose faults they are in ``shown_in``."""
    with TemporaryDirectory(prefix="dms-policy-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            return load_policy(Path(folder))
        except PolicyError as error:
            raise PolicyError(_shown(fault, folder, shown_in) for fault in error.faults) from None


def unpacked(body: bytes) -> Publication:
    """What `Publication.packed` has made. Raises `Unreadable`."""
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(body, UNPACKED_BYTES_MAX)
        if unpacking.unconsumed_tail:
            raise Unreadable(f"more than {UNPACKED_BYTES_MAX >> 20} MiB when unpacked")
        found = msgspec.msgpack.decode(content, type=Publication)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise Unreadable(f"not a published policy: {error}") from None
    for name in found.files:
        if name != Path(name).name or not name.endswith(".toml") or name == ENGINE_SETTINGS:
            raise Unreadable("not a published policy: a file of another name than a policy's")
    return found


def files_of(path: Path) -> Mapping[str, bytes]:
    """The files of a policy's file or folder, managers included. Raises `PolicyError` where there are none.

    Whether they say something sensible is for `policy_in` to tell.
    """
    if path.is_dir():
        files = sorted(file for file in path.glob("*.toml") if file.name != ENGINE_SETTINGS)[: FILES_MAX + 2]
    elif path.name == MANAGERS or not path.is_file():
        load_policy(path)  # says what is wrong
        raise AssertionError(f"{path} was refused")
    else:
        files = [path, *(file for file in [path.with_name(MANAGERS)] if file.is_file())]
    found: dict[str, bytes] = {}
    for file in files:
        # A policy given as one file may have any name.
        name = file.name if file.suffix == ".toml" and file.name != ENGINE_SETTINGS else "policy.toml"
        try:
            with file.open("rb") as opened:
                found[name] = opened.read(FILE_BYTES_MAX + 1)  # a larger one is refused when it is loaded
        except OSError as error:
            raise PolicyError([Fault(str(file), 1, f"cannot be read: {error.strerror or error}")]) from None
    return found


def _shown(fault: Fault, folder: str, shown_in: str) -> Fault:
    """A fault with the place where its reader knows the file, in the text too."""
    before = "" if shown_in == "." else f"{shown_in.rstrip('/')}/"

    def shown(text: str) -> str:
        return text.replace(f"{folder}/", before).replace(folder, shown_in)

    return replace(fault, file=shown(fault.file), message=shown(fault.message), hint=shown(fault.hint))
