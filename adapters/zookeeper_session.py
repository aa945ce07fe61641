"""A session with ZooKeeper that is kept: it reconnects, and begins anew where the old one cannot be taken up again.

kazoo keeps a session alive, and reconnects for as long as the servers know it. Two things are left to do here. A server
that was wiped refuses for ever a client that has seen later changes than its own, so a client that has been away for
longer than any session lasts is replaced. And nothing that a library's own thread calls may call the library: state
listeners and watches only set flags, which `Lookout` threads see.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    OperationTimeoutError,
    RolledBackError,
    RuntimeInconsistency,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE

from adapters.logs import Log
from adapters.lookout import Lookout, Unreachable
from adapters.part_urls import Ensemble

CALL_SECONDS: Final = 5.0
WATCHDOG_SECONDS: Final = 1.0
GIVEN_UP: Final = 1.25
"""A client that was without a connection for so many lengths of a session is replaced."""

_AWAY: Final = (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooTimeoutError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)


class ZooKeeperSession:
    """One client for all that a process keeps in ZooKeeper. `start` it once; its methods may be called from any thread
    but kazoo's own."""

    def __init__(self, ensemble: Ensemble, log: Log, session_seconds: float = 10.0) -> None:
        self.ensemble: Final = ensemble
        self.session_seconds: Final = session_seconds
        self._log: Final = log
        self._lock: Final = Lock()
        self._listeners: Final[list[Callable[[], None]]] = []
        self._connected_to: Any = None
        self._away_since = monotonic()
        self._said_away = False
        self._connections = 0
        self._sessions = 0
        self._is_closed = False
        self._watchdog: Final = Lookout("zookeeper", self._watch, self._failed)
        self._client: Any = self._new_client()

    def start(self) -> None:
        """Connects, and goes on trying, in threads; returns at once."""
        self._away_since = monotonic()
        self._client.start_async()
        self._watchdog.start()

    def wait(self, seconds: float) -> bool:
        """Waits until there is a connection, so long at most."""
        deadline = monotonic() + seconds
        while not self.is_connected and monotonic() < deadline:
            sleep(0.02)
        return self.is_connected

    def close(self) -> None:
        """Ends the session: what is ephemeral goes with it, at once if the servers can be reached."""
        with self._lock:
            self._is_closed = True
        self._watchdog.stop()
        _end(self._client)

    @property
    def is_connected(self) -> bool:
        """Whether ZooKeeper answers, as far as is known: a silent server is noticed after a third of a session."""
        return self._connected_to is self._client

    @property
    def connections(self) -> int:
        """Counts connections: what was heard before the present one may be out of date."""
        return self._connections

    @property
    def sessions(self) -> int:
        """Counts sessions that ended without our doing, with all that was ephemeral in them."""
        return self._sessions

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls it when the connection comes or goes, in kazoo's thread: it may set a flag and nothing more."""
        self._listeners.append(listener)

    def path(self, *names: str) -> str:
        """The path of a node of ours."""
        return "/".join((self.ensemble.root.rstrip("/"), *names))

    def owner_id(self) -> int | None:
        """The number of the present session, which its ephemeral nodes carry; None without a connection."""
        known = self._client.client_id
        return known[0] if known else None

    def ask(self, method: str, *arguments: object, **named: object) -> Any:
        """The answer to a call of kazoo's: ``get``, ``create`` and so on.

        Raises `Unreachable`, or what kazoo raises for an answer that is not the wished one: `NoNodeError` and the like.
        """
        client = self._client
        if self._connected_to is not client:
            # Otherwise kazoo would queue it, and carry it out at a moment when nobody waits for it any more.
            raise Unreachable(f"no connection to {self.ensemble}")
        try:
            return getattr(client, f"{method}_async")(*arguments, **named).get(timeout=CALL_SECONDS)
        except _AWAY as error:
            raise Unreachable(f"{self.ensemble}: {type(error).__name__}") from None

    def together(self, *operations: tuple[str, Sequence[object]]) -> None:
        """Carries out operations of a kazoo transaction, all or none. Raises as `ask`, with the first refusal."""
        client: Any = self._client
        if self._connected_to is not client:
            raise Unreachable(f"no connection to {self.ensemble}")
        transaction = client.transaction()
        for method, arguments in operations:
            getattr(transaction, method)(*arguments)
        try:
            results = transaction.commit_async().get(timeout=CALL_SECONDS)
        except _AWAY as error:
            raise Unreachable(f"{self.ensemble}: {type(error).__name__}") from None
        refusals = [each for each in results if isinstance(each, Exception)]
        # The operations around the one that failed carry errors that say only that it did.
        for refusal in refusals:
            if not isinstance(refusal, (RolledBackError, RuntimeInconsistency)):
                raise refusal
        if refusals:
            raise refusals[0]

    def _new_client(self) -> KazooClient:
        user, password = self.ensemble.user, self.ensemble.password
        credentials = f"{user}:{password.reveal()}" if user is not None and password is not None else None
        client = KazooClient(
            hosts=",".join(self.ensemble.hosts),
            timeout=self.session_seconds,
            auth_data=[("digest", credentials)] if credentials is not None else None,
            default_acl=CREATOR_ALL_ACL if credentials is not None else OPEN_ACL_UNSAFE,
            connection_retry=KazooRetry(max_tries=-1, delay=0.1, max_delay=min(1.0, self.session_seconds / 4)),
            logger=_kazoo_log(),
        )
        client.add_listener(lambda state: self._changed(client, state))
        return client

    def _changed(self, client: KazooClient, state: str) -> None:
        """Called by kazoo's thread: flags only."""
        if client is not getattr(self, "_client", client):
            return
        if state == KazooState.CONNECTED:
            self._connections += 1
            self._connected_to = client
        else:
            if self._connected_to is client:
                self._away_since = monotonic()
            self._connected_to = None
            if state == KazooState.LOST:
                self._sessions += 1
        self._watchdog.poke()
        for listener in self._listeners:
            listener()

    def _watch(self) -> float:
        """Says that the connection is gone or back; replaces a client that will not find back."""
        away = 0.0 if self.is_connected else monotonic() - self._away_since
        if self._said_away and not away:
            self._said_away = False
            self._log.info("ZooKeeper answers again", ensemble=str(self.ensemble))
        elif away > WATCHDOG_SECONDS and not self._said_away:
            self._said_away = True
            self._log.warn("ZooKeeper does not answer; shards stay where they are", ensemble=str(self.ensemble))
        if away > GIVEN_UP * self.session_seconds:
            self._replace()
        return WATCHDOG_SECONDS

    def _replace(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            old, self._client = self._client, self._new_client()
            self._connected_to = None
            self._away_since = monotonic()
            self._sessions += 1
            self._client.start_async()
        self._log.debug("another session is begun", ensemble=str(self.ensemble))
        _end(old)

    def _failed(self, failure: Exception) -> None:
        self._log.failure("the session with ZooKeeper could not be looked after", failure)


def _kazoo_log() -> logging.Logger:
    """kazoo's own log. At DEBUG it would show what is sent, and the credentials are among that."""
    log = logging.getLogger("dms.zookeeper")
    log.setLevel(logging.INFO)
    return log


def _end(client: KazooClient) -> None:
    try:
        client.stop()
        client.close()
    except (KazooException, OSError, AttributeError):  # the last is kazoo's where the connection never was
        pass
