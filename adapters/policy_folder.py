"""The policy of a folder (or file), read again when its files change: a change takes effect without a restart."""

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Final

from adapters.faults import PolicyError
from adapters.logs import Log
from adapters.policy_diff import diff
from adapters.policy_files import MANAGERS, load_policy
from domain.policy import Policy

LOOK_SECONDS: Final = 1.0

_Print = tuple[tuple[str, int, int, int], ...]


class PolicyFolder:
    """A source of policies. What is wrong is refused and logged, and the policy that holds goes on to hold.

    Files are read once they have been the same for two looks, since an editor, or a deployment of several files, takes
    a moment. Journals and commands name a version: one that says something else under the same number is refused, but
    for the managers, who come and go without.
    """

    def __init__(self, path: Path, log: Log, look_seconds: float = LOOK_SECONDS) -> None:
        """Raises `PolicyError` where there is no policy to begin with."""
        self._path: Final = path
        self._log: Final = log
        self._look_seconds: Final = look_seconds
        self._read: _Print = self._fingerprint()
        self._seen: _Print = self._read
        self._policy: Policy = load_policy(path)
        self._stopping: Final = Event()
        self._thread: Final = Thread(target=self._watch, name="policy", daemon=True)

    def current(self) -> Policy:
        """The policy that holds now."""
        return self._policy

    def start(self) -> None:
        """Watches the files, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Watches no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2)

    def look(self) -> bool:
        """Looks at the files once; whether another policy holds now."""
        found = self._fingerprint()
        if found == self._read or found != self._seen:
            self._seen = found
            return False
        self._read = found
        try:
            policy = load_policy(self._path)
        except PolicyError as error:
            for fault in error.faults:
                self._log.error("the policy on disk is refused; the one that holds goes on", fault=str(fault))
            return False
        return self._adopt(policy)

    def _adopt(self, policy: Policy) -> bool:
        before = self._policy
        changes = diff(before, policy)
        if not changes:
            return False
        if policy.version == before.version and diff(replace(before, managers=None), replace(policy, managers=None)):
            self._log.error(
                "the policy on disk is refused; the one that holds goes on",
                fault=f"{self._path}: another policy under the same version {policy.version} (raise [policy] version)",
                change=changes[0],
            )
            return False
        self._policy = policy
        self._log.info("another policy holds", policy=policy.name, version=policy.version, changes=len(changes))
        return True

    def _watch(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            try:
                self.look()
            except Exception as failure:  # a watcher that died would leave an old policy without a word
                self._log.failure("the policy could not be looked at", failure, path=str(self._path))

    def _fingerprint(self) -> _Print:
        files = self._path.glob("*.toml") if self._path.is_dir() else (self._path, self._path.with_name(MANAGERS))
        found = []
        for file in sorted(files):
            try:
                status = file.stat()
            except OSError:
                continue
            found.append((file.name, status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)
