"""Settings: a TOML file, environment variables ``DMS_…`` over it, command-line options over both.

The environment is read here and nowhere else. Every fault is one line that names its place: ``dms.toml:3``,
``DMS_LOG_LEVEL``, ``--http``. Passwords come from files of their own or from the environment, and a value that may
carry one all the same (a URL's) is never quoted. Relative paths are relative to the working directory, wherever they
were set.
"""

import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from adapters import setting_values as values
from adapters.faults import Faults, shown
from adapters.part_urls import Ensemble, Secret, Server, read_amqp, read_postgresql, read_zookeeper
from adapters.setting_values import PUBLISHED, Text, Wrong
from adapters.toml_tables import Table, read_toml
from domain.calendar import DAY, MINUTE, SECOND

LEVELS: Final = ("ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF")
FORMATS: Final = ("console", "json")
PACKAGED_POLICY: Final = Path(__file__).parent / "policies" / "telecom"
CONFIG: Final = "DMS_CONFIG"
"""The variable that names the settings file where no option does."""
LIVE: Final = ("log.level", "out.batch", "hold_unknown", "ids_remembered", "active_max")
"""What can be changed while nodes run; for these, what is published goes over everything else."""

# Set by others: our own build, and Kubernetes for every service whose name begins with ours.
_NOT_OURS: Final = re.compile(
    r"DMS_(COMPILE|([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP)(_[A-Z]+)?)?))", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a node runs with. Durations are microseconds; ``http`` is ``HOST:PORT`` or empty (off)."""

    store: str = "sqlite:///dms.db"
    broker: str = "memory://"
    coordination: str = "local://"
    policy: Path = PACKAGED_POLICY
    http: str = "127.0.0.1:8080"
    log_level: str = "INFO"
    log_format: str = "console"
    workers: int = 1
    shards: int = 64
    node: str = ""
    """Its name among the nodes; empty: of the host and the process."""
    lease: int = 10 * SECOND
    """How long a shard stays a node's that has fallen silent."""
    session: int = 10 * SECOND
    """How long ZooKeeper waits for a node that has fallen silent."""
    drain: int = 9 * SECOND
    """How long a node that is told to stop may take to finish what it has begun."""
    hold_unknown: int = 10 * MINUTE
    ids_remembered: int = 90 * DAY
    out_batch: int = 1
    out_file: Path | None = None
    active_max: int = 200_000
    cache: Path = Path("dms.cache")
    """The folder for what a node keeps of what others hold: the last good policy."""
    store_password: Secret | None = None
    broker_password: Secret | None = None
    coordination_password: Secret | None = None

    @property
    def store_kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return _scheme(self.store)

    @property
    def broker_kind(self) -> str:
        """``memory`` or ``amqp`` (with or without TLS: `broker_server` knows)."""
        return _scheme(self.broker).removesuffix("s")

    @property
    def coordination_kind(self) -> str:
        """``local`` or ``zookeeper``."""
        return _scheme(self.coordination)

    @property
    def policy_kind(self) -> str:
        """``files``, or ``published``: by command, into what ``coordination`` names."""
        return "published" if str(self.policy) in PUBLISHED else "files"

    @property
    def store_path(self) -> Path:
        """The SQLite file. Raises `Unusable` where the store is none."""
        if self.store_kind != "sqlite":
            raise Unusable(f"this works on a store in a SQLite file, not on {self.store_kind}")
        return Path(self.store.removeprefix("sqlite:///"))

    @property
    def store_server(self) -> Server:
        """PostgreSQL, with its password."""
        return read_postgresql(self.store, self.store_password)

    @property
    def broker_server(self) -> Server:
        """RabbitMQ, with its password."""
        return read_amqp(self.broker, self.broker_password)

    @property
    def ensemble(self) -> Ensemble:
        """ZooKeeper, with its password."""
        return read_zookeeper(self.coordination, self.coordination_password)

    @property
    def published_folder(self) -> Path:
        """Where policies and settings are published without ZooKeeper: beside a SQLite file, or in the working folder
        of all who share a store elsewhere."""
        return self.store_path.parent / "dms.conf.d" if self.store_kind == "sqlite" else Path("dms.conf.d")

    @property
    def http_address(self) -> tuple[str, int] | None:
        """Host (an IPv6 one without brackets) and port; None where HTTP is off."""
        if not self.http:
            return None
        host, _, port = self.http.rpartition(":")
        return host.strip("[]"), int(port)

    def node_name(self, worker: int = 0) -> str:
        """The name of one of this node's processes: ``node``, or that of the host, with what tells it from others."""
        if not self.node:
            return f"{_host_name()}-{os.getpid()}"
        return f"{self.node}-{worker}" if self.workers > 1 else self.node


class SettingsError(Exception):
    """Settings that cannot be used; ``faults`` has one line for each thing to put right."""

    def __init__(self, faults: list[str]) -> None:
        self.faults: Final = faults
        super().__init__("\n".join(faults))


class Unusable(Exception):
    """What sound settings name cannot be used: a port that is taken, a store that another process works on."""


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "store": values.store,
    "broker": values.broker,
    "coordination": values.coordination,
    "policy": values.policy,
    "http": values.address,
    "log.level": values.choice(LEVELS, str.upper),
    "log.format": values.choice(FORMATS, str.lower),
    "workers": values.whole(1, 256),
    "shards": values.whole(1, 4_096),
    "node": values.name,
    "lease": values.duration("1s", "10m"),
    "session": values.duration("1s", "10m"),
    "drain": values.duration("1s", "10m"),
    "hold_unknown": values.duration(),
    "ids_remembered": values.duration(),
    "out.batch": values.whole(1, 1_000),
    "out.file": values.path,
    "active_max": values.whole(1, 100_000_000),
    "cache": values.path,
    "store.password_file": values.password_file,
    "broker.password_file": values.password_file,
    "coordination.password_file": values.password_file,
}
_PARTS: Final = ("store", "broker", "coordination")
"""Each is a URL, or a table of a ``url`` and a ``password_file``."""
_PASSWORDS: Final = {f"DMS_{part.upper()}_PASSWORD": f"{part}.password" for part in _PARTS}
_SECTIONS: Final = frozenset(name.partition(".")[0] for name in _READERS if "." in name)
_VARIABLES: Final = {"DMS_" + name.upper().replace(".", "_"): name for name in _READERS}


def load_settings(
    config: Path | None = None,
    options: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of this process. ``options`` are by name of setting; None among them means: not given.

    ``environment`` None is the process's own. Raises `SettingsError` with every fault found, also in what would be
    overridden.
    """
    environment = os.environ if environment is None else environment
    faults: list[str] = []
    found: dict[str, object] = {}
    places: dict[str, str] = {}
    place = "--config"
    if config is None and environment.get(CONFIG):
        config, place = Path(environment[CONFIG]), CONFIG
    given = [
        *(_in_file(config, place, faults) if config is not None else ()),
        *_in_environment(environment, faults),
        *(
            (f"--{name.replace('.', '-').replace('_', '-')}", name, _option(value))
            for name, value in (options or {}).items()
            if value is not None
        ),
    ]
    for place, name, value in given:
        try:
            field, read = _read(name, value)
        except Wrong as wrong:
            faults.append(f"{place}: {name} {wrong}")
        else:
            found[field], places[field] = read, place
    if faults:
        raise SettingsError(faults)
    settings = Settings(**found)  # type: ignore[arg-type]
    _refuse_what_does_not_fit(settings, places)
    return settings


def live_settings(settings: Settings, published: Mapping[str, str]) -> Settings:
    """The settings with those of `LIVE` over them that are published. Raises `SettingsError`."""
    found: dict[str, object] = {}
    faults: list[str] = []
    for name, value in published.items():
        if name not in LIVE:
            known = _READERS if name in _READERS else {}
            hint = "is read when a node starts" if known else f"is no setting{_guess(name, dict.fromkeys(LIVE))}"
            faults.append(f"{shown(name)[1:-1]} {hint}: those that can be changed live are {', '.join(LIVE)}")
            continue
        try:
            found[name.replace(".", "_")] = _READERS[name](Text(value))
        except Wrong as wrong:
            faults.append(f"{name} {wrong}")
    if faults:
        raise SettingsError(faults)
    return replace(settings, **found)  # type: ignore[arg-type]


def runtime_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where the processes of one user on this host meet: of the login, or what is temporary."""
    environment = os.environ if environment is None else environment
    # By the user and not by the login: a service has none, and would not meet what was started by hand.
    of_user = Path(f"/run/user/{os.getuid()}")
    if of_user.is_dir() and os.access(of_user, os.W_OK):
        return of_user
    named = environment.get("XDG_RUNTIME_DIR")
    return Path(named) if named and Path(named).is_dir() else Path(tempfile.gettempdir())


def _read(name: str, value: object) -> tuple[str, object]:
    """The field of `Settings`, and what becomes of the value."""
    if name in _PASSWORDS.values():
        return name.replace(".", "_"), values.password(value)
    return name.removesuffix("_file").replace(".", "_") if "password" in name else name.replace(".", "_"), (
        _READERS[name](value)
    )


def _refuse_what_does_not_fit(settings: Settings, places: Mapping[str, str]) -> None:
    """Values that are right by themselves, and wrong together."""
    faults = []
    wanted = PUBLISHED.get(str(settings.policy))
    if wanted is not None and wanted != settings.coordination_kind:
        faults.append(
            f"{places['policy']}: policy cannot be {settings.policy} while coordination is "
            f'{settings.coordination_kind}:// (write "{settings.coordination_kind}:", or a file or a folder)'
        )
    users = {
        "store": settings.store_server.user if settings.store_kind == "postgresql" else None,
        "broker": settings.broker_server.user if settings.broker_kind == "amqp" else None,
        "coordination": settings.ensemble.user if settings.coordination_kind == "zookeeper" else None,
    }
    for part, user in users.items():
        has_password = getattr(settings, f"{part}_password") is not None
        if has_password and user is None:
            faults.append(
                f"{places[f'{part}_password']}: {part} has a password and no user (write USER@ before its host)"
            )
        # PostgreSQL has other ways to know a user.
        if user is not None and not has_password and part != "store":
            faults.append(
                f"{places[part]}: {part} has a user and no password "
                f"(set {part}.password_file or DMS_{part.upper()}_PASSWORD)"
            )
    if faults:
        raise SettingsError(faults)


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _host_name() -> str:
    """The host's name, of letters that a name may have."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-")[:80] or "node"


def _option(value: object) -> object:
    return value if isinstance(value, int) else Text(value)


def _in_environment(environment: Mapping[str, str], faults: list[str]) -> Iterator[tuple[str, str, object]]:
    for variable in sorted(environment):
        if not variable.startswith("DMS_") or variable == CONFIG or _NOT_OURS.fullmatch(variable):
            continue
        name = _VARIABLES.get(variable) or _PASSWORDS.get(variable)
        if name is None:
            faults.append(f"{shown(variable)[1:-1]}: no such setting{_guess(variable, _VARIABLES | _PASSWORDS)}")
        elif variable in _PASSWORDS and f"{variable}_FILE" in environment:
            faults.append(f"{variable}: {name} is also in {variable}_FILE (set one of them)")
        else:
            yield variable, name, Text(environment[variable])


def _in_file(path: Path, place: str, faults: list[str]) -> Iterator[tuple[str, str, object]]:
    try:
        values.text(str(path))
    except Wrong as wrong:
        faults.append(f"{place}: the file's name {wrong}")
        return
    found = Faults()
    root = read_toml(path, found)
    # A file in which everything is commented out is how settings are shipped.
    faults.extend(str(fault) for fault in found.found if fault.message != "the file is empty")
    if root is None:
        return
    for key in root:
        is_table = isinstance(root.raw(key), dict)
        if key not in _SECTIONS or (key in _PARTS and not is_table):
            yield from _setting(root, key, key, faults)
            continue
        section = root.table(key, key)
        if section is None:
            faults.append(f"{_place(root, key)}: {key} is a table, not {shown(root.raw(key))} (write [{key}])")
            continue
        for inner in section:
            name = key if key in _PARTS and inner == "url" else f"{key}.{inner}"
            yield from _setting(section, inner, name, faults)


def _setting(table: Table, key: str, name: str, faults: list[str]) -> Iterator[tuple[str, str, object]]:
    if name in _READERS:
        yield _place(table, key), name, table.raw(key)
    elif name in _PASSWORDS.values():
        variable = f"DMS_{name.upper().replace('.', '_')}"
        faults.append(f"{_place(table, key)}: {name} is not for this file (write {name}_file, or set {variable})")
    else:
        faults.append(f"{_place(table, key)}: unknown setting {shown(name)}{_guess(name, _READERS)}")


def _place(table: Table, key: str) -> str:
    place = table.place_of(key)
    return f"{place.file}:{place.line}"


def _guess(word: str, known: Mapping[str, object]) -> str:
    guess = Faults().guess(word, known)
    return f" ({guess})" if guess else ""
