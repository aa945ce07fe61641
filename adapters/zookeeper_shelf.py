"""A shelf in ZooKeeper: a node for each issue, and one that says which holds."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError

from adapters.shelf import ISSUES_MAX, Overtaken, fits
from adapters.zookeeper_session import ZooKeeperSession


class ZooKeeperShelf:
    """``/dms/policies/0000000007`` is an issue of ``policies``, ``/dms/policy`` the number of the one that holds.

    Both are written together or not at all. Raises `Unreachable`, and kazoo's exceptions.
    """

    look_seconds: Final = 10.0

    def __init__(self, session: ZooKeeperSession, issues: str, holds: str) -> None:
        self._session: Final = session
        self._issues: Final = session.path(issues)
        self._holds: Final = session.path(holds)

    def listen(self, changed: Callable[[], None]) -> None:
        """Of the session."""
        self._session.listen(changed)

    def current(self, changed: Callable[..., None] | None = None) -> int:
        """What the node says that tells which holds; 0 where there is none."""
        return self._current(changed)[0]

    def numbers(self) -> list[int]:
        """Of the nodes that are issues."""
        try:
            names = self._session.ask("get_children", self._issues)
        except NoNodeError:
            return []
        return sorted(int(name) for name in names if name.isdecimal())

    def body(self, number: int) -> bytes | None:
        """What the node holds."""
        try:
            body: bytes = self._session.ask("get", self._path(number))[0]
        except NoNodeError:
            return None
        return body

    def put(self, number: int, body: bytes) -> None:
        """Makes the issue's node and changes the other one, on condition that it is as it was read."""
        fits(body)
        current, version = self._current(None)
        if number != current + 1:
            raise Overtaken
        self._session.ask("ensure_path", self._issues)
        said = b"%d" % number
        holds = ("create", (self._holds, said)) if version is None else ("set_data", (self._holds, said, version))
        try:
            self._session.together(("create", (self._path(number), body)), holds)
        except (NodeExistsError, BadVersionError, NoNodeError):
            raise Overtaken from None
        for old in self.numbers()[:-ISSUES_MAX]:
            with suppress(NoNodeError):
                self._session.ask("delete", self._path(old))

    def _current(self, changed: Callable[..., None] | None) -> tuple[int, int | None]:
        try:
            body, stat = self._session.ask("get", self._holds, watch=changed)
        except NoNodeError:
            if changed is not None and self._session.ask("exists", self._holds, watch=changed) is not None:
                return self._current(changed)
            return 0, None
        # What somebody has spoilt by hand is put right by the next issue.
        return (int(body) if body.isdigit() and len(body) <= 10 else max(self.numbers(), default=0)), stat.version

    def _path(self, number: int) -> str:
        return f"{self._issues}/{number:010d}"
