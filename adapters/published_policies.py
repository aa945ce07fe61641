"""The policy that was published by command: a change takes effect in every running node, without a restart."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Final

from kazoo.exceptions import KazooException

from adapters.faults import PolicyError
from adapters.logs import Log
from adapters.lookout import Lookout, Unreachable
from adapters.policy_diff import diff
from adapters.publication import Unreadable, unpacked
from adapters.settings import Unusable
from adapters.shelf import Shelf
from domain.policy import Policy

AWAY: Final = (Unreachable, KazooException, OSError)


class PublishedPolicies:
    """A source of policies. What this release cannot read is refused and logged, and what holds goes on to hold.

    The last good one is kept in a file, so that a node can start while the shelf is out of reach, or has been wiped.
    """

    def __init__(self, shelf: Shelf, cache: Path, log: Log) -> None:
        """Raises `Unusable` where there is no policy to begin with, neither published nor kept."""
        self._shelf: Final = shelf
        self._cache: Final = cache
        self._log: Final = log
        self._lock: Final = Lock()
        self._number = -1
        self._policy: Policy | None = None
        try:
            self._look_once(None)
        except AWAY as failure:
            log.failure("the published policy is out of reach", failure)
        if self._policy is None:
            self._policy = self._kept()
        self._lookout: Final = Lookout("policy", self._look, self._failed)

    def current(self) -> Policy:
        """The policy that holds now."""
        assert self._policy is not None
        return self._policy

    def start(self) -> None:
        """Watches the shelf, in a thread."""
        self._shelf.listen(self._lookout.poke)
        self._lookout.start()

    def stop(self) -> None:
        """Watches no more."""
        self._lookout.stop(2)

    def look(self) -> bool:
        """Looks at the shelf once; whether another policy holds now. Raises what the shelf raises."""
        before = self._policy
        self._look_once(None)
        return self._policy is not before

    def _look(self) -> float:
        try:
            self._look_once(self._lookout)
        except Unreachable:
            return 1.0  # the session says so, and pokes when it is back
        return self._shelf.look_seconds

    def _look_once(self, lookout: Lookout | None) -> None:
        with self._lock:
            number = self._shelf.current(lookout.poke if lookout is not None else None)
            if number == self._number:
                return
            body = self._shelf.body(number) if number else None
            # Remembered also where it is refused: it will not become better.
            had, self._number = self._number, number
            if body is None:
                if had > 0:
                    self._log.warn("no policy is published any more; the one that holds goes on")
                return
            policy = self._read(body, number)
            if policy is not None:
                self._adopt(policy, number, body)

    def _read(self, body: bytes, number: int) -> Policy | None:
        try:
            return unpacked(body).policy(f"issue {number}")
        except Unreadable as error:
            faults = [str(error)]
        except PolicyError as error:
            faults = [str(fault) for fault in error.faults]
        for fault in faults:
            self._log.error("the published policy is refused; the one that holds goes on", issue=number, fault=fault)
        return None

    def _adopt(self, policy: Policy, number: int, body: bytes) -> None:
        before = self._policy
        if before is not None:
            changes = diff(before, policy)
            if not changes:
                self._keep(body)
                return
            if policy.version == before.version and diff(
                replace(before, managers=None), replace(policy, managers=None)
            ):
                self._log.error(
                    "the published policy is refused; the one that holds goes on",
                    issue=number,
                    fault=f"another policy under the same version {policy.version} (raise [policy] version)",
                    change=changes[0],
                )
                return
            self._log.info(
                "another policy holds", policy=policy.name, version=policy.version, issue=number, changes=len(changes)
            )
        self._policy = policy
        self._keep(body)

    def _keep(self, body: bytes) -> None:
        draft = self._cache.with_name(f"{self._cache.name}.{id(self):x}.draft")
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(body)
            draft.replace(self._cache)
        except OSError as error:
            self._log.failure("the policy could not be kept for a start without its source", error)
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def _kept(self) -> Policy:
        try:
            policy = unpacked(self._cache.read_bytes()).policy(str(self._cache))
        except FileNotFoundError:
            raise Unusable("no policy is published (dms policy publish PATH)") from None
        except (OSError, Unreadable, PolicyError) as error:
            said = " ".join(str(error).split())[:300]
            raise Unusable(f"no policy is published, and the one that was kept cannot be used: {said}") from None
        self._log.warn("the policy of last time holds", policy=policy.name, version=policy.version)
        return policy

    def _failed(self, failure: Exception) -> None:
        self._log.failure("the published policy could not be looked at; the one that holds goes on", failure)
