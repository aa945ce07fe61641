"""Where the parts are that a node works with: the URLs of store, broker and coordination, read once and kept as data.

A URL names no password: that comes from a file or from the environment, and is never shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.%]{2,45}\]|[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})?", re.ASCII)
_ROOT: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){1,8}", re.ASCII)
_USER: Final = re.compile(r"[^\s/?#@:\\]{1,100}")
_PORTS: Final[Mapping[str, int]] = {"postgresql": 5432, "amqp": 5672, "amqps": 5671, "zookeeper": 2181}
_HOSTS_MAX: Final = 16
STORE_OPTIONS: Final = frozenset(
    {"application_name", "connect_timeout", "host", "sslcert", "sslkey", "sslmode", "sslrootcert",
     "target_session_attrs"}
)  # fmt: skip


class Secret:
    """A password. It shows itself to nobody but who asks for it by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: Final = value

    def reveal(self) -> str:
        """The password, for the one call that needs it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        return Secret, (self._value,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """PostgreSQL or RabbitMQ: ``name`` is the database, or the virtual host; ``host`` is empty for a local socket."""

    scheme: str
    host: str
    port: int
    name: str
    user: str | None = None
    password: Secret | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """ZooKeeper: ``hosts`` are ``HOST:PORT``, ``root`` the node that all of ours are under. Without a ``user``, whoever
    reaches it may change everything."""

    hosts: tuple[str, ...]
    root: str = "/dms"
    user: str | None = None
    password: Secret | None = None

    def __str__(self) -> str:
        return f"zookeeper://{','.join(self.hosts)}{self.root}"


class UrlFault(Exception):
    """What a URL must be, and a hint. It quotes nothing of the URL, which may hold a password."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint: Final = hint


def read_postgresql(text: str, password: Secret | None = None) -> Server:
    """``postgresql://user@host:port/database?options``; raises `UrlFault`."""
    example = "postgresql://dms@db.example:5432/dms"
    split, user, hosts = _split(text, example, "store")
    options = parse_qsl(split.query, keep_blank_values=True)
    unknown = sorted(name for name, _ in options if name not in STORE_OPTIONS)
    if unknown:
        # A name may be the tail of a password with an & in it: only what looks like an option is said to be one.
        _refuse_password_in(split, "store")
        raise UrlFault("takes other options", f"such as {', '.join(sorted(STORE_OPTIONS))}")
    name = unquote(split.path.removeprefix("/"))
    if not name or "/" in name or not name.isprintable():
        raise UrlFault("must name a database", f'such as "{example}"')
    if len(hosts) > 1 or (not hosts and "host" not in dict(options)):
        raise UrlFault("must name one host", f'such as "{example}"')
    host, port = hosts[0] if hosts else ("", _PORTS["postgresql"])
    return Server(
        scheme="postgresql", host=host, port=port, name=name, user=user, password=password, options=tuple(options)
    )


def read_amqp(text: str, password: Secret | None = None) -> Server:
    """``amqp://user@host:port/vhost`` (``amqps`` too; no path is the virtual host ``/``); raises `UrlFault`."""
    example = "amqp://dms@mq.example:5672/dms"
    split, user, hosts = _split(text, example, "broker")
    if split.query:
        _refuse_password_in(split, "broker")
        raise UrlFault("takes no options", f'such as "{example}"')
    if len(hosts) != 1:
        raise UrlFault("must name one host", f'such as "{example}"')
    path = split.path.removeprefix("/")
    name = unquote(path) or "/"
    if "/" in path or not name.isprintable() or len(name) > 255:
        raise UrlFault("must name one virtual host", f'such as "{example}", with %2F for a slash in it')
    return Server(scheme=split.scheme, host=hosts[0][0], port=hosts[0][1], name=name, user=user, password=password)


def read_zookeeper(text: str, password: Secret | None = None) -> Ensemble:
    """``zookeeper://user@host:port,host:port/root``; raises `UrlFault`."""
    example = "zookeeper://zk1:2181,zk2:2181,zk3:2181/dms"
    split, user, hosts = _split(text, example, "coordination")
    if split.query:
        _refuse_password_in(split, "coordination")
        raise UrlFault("takes no options", f'such as "{example}"')
    if not hosts:
        raise UrlFault("must name a host", f'such as "{example}"')
    root = split.path.rstrip("/") or "/dms"
    if not _ROOT.fullmatch(root) or root.startswith("/zookeeper"):
        raise UrlFault("must end in the path of a node", f'such as "{example}"')
    return Ensemble(hosts=tuple(f"{host}:{port}" for host, port in hosts), root=root, user=user, password=password)


def _split(text: str, example: str, part: str) -> tuple[SplitResult, str | None, list[tuple[str, int]]]:
    """The URL, its user, and its hosts with their ports."""
    try:
        split = urlsplit(text)
    except ValueError:
        raise UrlFault("must be a URL", f'such as "{example}"') from None
    if "#" in text or any(character.isspace() for character in text):
        # What comes before the @ was a password with a # in it, perhaps.
        _refuse_password_in(split._replace(netloc=text.partition("://")[2]), part)
        raise UrlFault("must be a URL", f'such as "{example}"')
    userinfo, has_user, places = split.netloc.rpartition("@")
    if ":" in userinfo or "@" in userinfo:
        raise _password(part)
    user = unquote(userinfo) if has_user else None
    if user is not None and not _USER.fullmatch(user):
        raise UrlFault("must name a user before the @", f'such as "{example}"')
    hosts = [_host(place, split.scheme, example) for place in places.split(",")] if places else []
    if len(hosts) > _HOSTS_MAX:
        raise UrlFault(f"names more than {_HOSTS_MAX} hosts")
    return split, user, hosts


def _host(place: str, scheme: str, example: str) -> tuple[str, int]:
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    if not colon:
        host = place
    sound = port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= 65_535 if colon else True
    if not sound or not _HOST.fullmatch(host):
        raise UrlFault("must name its hosts as HOST:PORT", f'such as "{example}"')
    return host.strip("[]") if scheme != "zookeeper" else host, int(port) if colon else _PORTS[scheme]


def _refuse_password_in(split: SplitResult, part: str) -> None:
    if ":" in split.netloc.rpartition("@")[0] or "password" in split.query.lower():
        raise _password(part)


def _password(part: str) -> UrlFault:
    return UrlFault("must hold no password", f"it comes from {part}.password_file or DMS_{part.upper()}_PASSWORD")
