"""What is published by command, and where it lies: in ZooKeeper, or without it in a folder beside the store."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.logs import Log, open_log
from adapters.settings import Settings, Unusable
from adapters.shelf import FolderShelf, Shelf

if TYPE_CHECKING:
    from adapters.zookeeper_session import ZooKeeperSession
    from domain.policy import Policy

POLICY: Final = "policies"
CONFIG: Final = "configs"
_HOLDS: Final = {POLICY: "policy", CONFIG: "config"}
"""The node that says which issue holds."""
CONNECT_SECONDS: Final = 10.0


def shelf_in(session: "ZooKeeperSession", what: str) -> Shelf:
    """The shelf of ``POLICY`` or ``CONFIG`` in ZooKeeper."""
    from adapters.zookeeper_shelf import ZooKeeperShelf

    return ZooKeeperShelf(session, what, _HOLDS[what])


def folder_shelf(settings: Settings, what: str) -> Shelf:
    """The same without ZooKeeper."""
    return FolderShelf(settings.published_folder / what)


def kept_policy(settings: Settings) -> Path:
    """The file in which a node keeps the last good policy of its source: another source has another file."""
    source = str(settings.ensemble) if settings.coordination_kind == "zookeeper" else str(settings.published_folder)
    return settings.cache / f"policy-{sha256(source.encode()).hexdigest()[:16]}"


@contextmanager
def opened_shelf(settings: Settings, what: str, log: Log | None = None) -> Iterator[Shelf]:
    """The shelf of ``POLICY`` or ``CONFIG``, for one command. Raises `Unusable` where it cannot be reached or used."""
    if settings.coordination_kind == "local":
        yield folder_shelf(settings, what)
        return
    from kazoo.exceptions import KazooException, NoAuthError

    from adapters.lookout import Unreachable
    from adapters.zookeeper_session import ZooKeeperSession

    session = ZooKeeperSession(settings.ensemble, log or open_log("OFF"), settings.session / 1e6)
    session.start()
    try:
        if not session.wait(CONNECT_SECONDS):
            raise Unusable(f"{settings.ensemble} does not answer")
        yield shelf_in(session, what)
    except Unreachable as error:
        raise Unusable(f"{error}: it is not known whether anything was done (the history says)") from None
    except NoAuthError:
        raise Unusable(f"{settings.ensemble} does not let us in (coordination's user and password)") from None
    except KazooException as error:
        raise Unusable(f"{settings.ensemble} refuses: {type(error).__name__}") from None
    finally:
        session.close()


def held_policy(settings: Settings) -> "Policy":
    """The policy that holds under these settings, for one command. Raises `Unusable`, or `PolicyError`."""
    from adapters.policy_files import load_policy
    from adapters.publication import Unreadable, unpacked

    if settings.policy_kind == "files":
        return load_policy(settings.policy)
    with opened_shelf(settings, POLICY) as shelf:
        number = shelf.current()
        body = shelf.body(number) if number else None
    if body is None:
        raise Unusable("no policy is published (dms policy publish PATH)")
    try:
        return unpacked(body).policy(f"issue {number}")
    except Unreadable as error:
        raise Unusable(f"the published policy (issue {number}): {error}") from None


def author() -> str:
    """Who publishes: the user of this process, and the host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
