"""One process at a time on an SQLite store."""

import fcntl
import os
from pathlib import Path
from typing import Final

from adapters.settings import Unusable


class StoreLock:
    """One process at a time on a store: a lock that the system takes back from whoever dies."""

    def __init__(self, store: Path) -> None:
        """Raises `Unusable` where another process holds it, OSError where the folder cannot be written to."""
        self._file: Final = open(f"{store}.lock", "a+b")  # noqa: SIM115 (held for as long as the node lives)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            who = self._file.read(20).decode("ascii", "replace").strip()
            self._file.close()
            raise Unusable(
                f"{store}: process {who or '?'} works on this store (stop it, or set another store)"
            ) from None
        self._file.truncate(0)
        self._file.write(b"%d\n" % os.getpid())
        self._file.flush()

    def close(self) -> None:
        """Lets others in. The file stays: removing it would let two processes lock two files of one name."""
        self._file.close()
