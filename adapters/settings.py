"""Settings: a TOML file, environment variables ``DMS_…`` over it, command-line options over both.

The environment is read here and nowhere else. Every fault is one line that names its place: ``dms.toml:3``,
``DMS_LOG_LEVEL``, ``--http``. A value that may carry a password (a URL's) is never quoted. Relative paths are relative
to the working directory, wherever they were set.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.faults import Faults, one_of, shown
from adapters.toml_tables import Table, read_toml
from domain.calendar import DAY, HOUR, MINUTE, SECOND

LEVELS: Final = ("ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF")
FORMATS: Final = ("console", "json")
PACKAGED_POLICY: Final = Path(__file__).parent / "policies" / "telecom"
CONFIG: Final = "DMS_CONFIG"
"""The variable that names the settings file where no option does."""

_TEXT_MAX: Final = 1_000
_THIS_RELEASE: Final = "this release runs on sqlite, memory and local"
_LATER: Final = frozenset(
    {"postgresql", "postgres", "postgresql+psycopg", "amqp", "amqps", "kafka", "zookeeper", "zk"},
)
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}", re.ASCII)
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})", re.ASCII)
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
    hold_unknown: int = 10 * MINUTE
    ids_remembered: int = 90 * DAY
    out_batch: int = 1
    out_file: Path | None = None
    active_max: int = 200_000

    @property
    def store_path(self) -> Path:
        """The SQLite file."""
        return Path(self.store.removeprefix("sqlite:///"))

    @property
    def http_address(self) -> tuple[str, int] | None:
        """Host (an IPv6 one without brackets) and port; None where HTTP is off."""
        if not self.http:
            return None
        host, _, port = self.http.rpartition(":")
        return host.strip("[]"), int(port)


class SettingsError(Exception):
    """Settings that cannot be used; ``faults`` has one line for each thing to put right."""

    def __init__(self, faults: list[str]) -> None:
        self.faults: Final = faults
        super().__init__("\n".join(faults))


class Unusable(Exception):
    """What sound settings name cannot be used: a port that is taken, a store that another process works on."""


class _Wrong(Exception):
    """A value that its setting does not take: what it must be, and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)


class _Text(str):
    """A value out of the environment or the command line, where everything is text."""

    __slots__ = ()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"must be a string, not {shown(value)}", "in quotes")
    if not value.strip() or len(value) > _TEXT_MAX or not value.isprintable():
        raise _Wrong(f"must have between 1 and {_TEXT_MAX} printable characters")
    return value


def _path(value: object) -> Path:
    return Path(_text(value))


def _policy(value: object) -> Path:
    text = _text(value)
    scheme = text.partition(":")[0]
    if scheme in _LATER and len(scheme) < len(text):
        raise _Wrong(f"cannot be {scheme}: yet: this release reads policies from files", "a file or a folder")
    return Path(text)


def _url(example: str) -> Callable[[object], str]:
    """Reads a URL of the example's scheme. What is refused is not quoted: it may carry a password."""
    expected = example.partition("://")[0]

    def read(value: object) -> str:
        text = _text(value)
        scheme, separator, rest = text.partition("://")
        if not separator or not _SCHEME.fullmatch(scheme):
            raise _Wrong("must be a URL", f'such as "{example}"')
        if scheme in _LATER:
            raise _Wrong(f"cannot be {scheme}:// yet: {_THIS_RELEASE}", f'such as "{example}"')
        if scheme != expected:
            raise _Wrong(f"cannot be {scheme}://: {_THIS_RELEASE}", f'such as "{example}"')
        if expected == "sqlite":
            if not rest.startswith("/") or rest.endswith("/") or any(mark in rest for mark in ("?", "#", ":memory:")):
                raise _Wrong("must name a file", f'such as "{example}" or "sqlite:////var/lib/dms/dms.db"')
        elif rest:
            raise _Wrong(f"takes nothing after {expected}://", f'write "{example}"')
        return text

    return read


def _address(value: object) -> str:
    if value == "":
        return ""
    text = _text(value)
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[2]) > 65_535:
        raise _Wrong(f"must be HOST:PORT, not {shown(text)}", 'such as "127.0.0.1:8080", or "" for none')
    return text


def _one_of(allowed: tuple[str, ...], same_case: Callable[[str], str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = same_case(_text(value))
        if text not in allowed:
            guess = Faults().guess(text, allowed)
            raise _Wrong(f"must be {one_of(allowed)}, not {shown(value)}", guess if "mean" in guess else "")
        return text

    return read


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, _Text) and value.isascii() and value.isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _Wrong(f"must be a whole number, not {shown(value)}", "" if isinstance(value, _Text) else "unquoted")
        if not least <= value <= most:
            raise _Wrong(f"must be between {least} and {most}, not {shown(value)}")
        return value

    return read


def _duration(value: object) -> int:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0 or int(match[1]) * _UNITS[match[2]] > 3_650 * DAY:
        raise _Wrong(f"must be a duration, not {shown(value)}", 'such as "90s", "10m", "4h" or "90d"')
    return int(match[1]) * _UNITS[match[2]]


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "store": _url("sqlite:///dms.db"),
    "broker": _url("memory://"),
    "coordination": _url("local://"),
    "policy": _policy,
    "http": _address,
    "log.level": _one_of(LEVELS, str.upper),
    "log.format": _one_of(FORMATS, str.lower),
    "workers": _whole(1, 256),
    "shards": _whole(1, 4_096),
    "hold_unknown": _duration,
    "ids_remembered": _duration,
    "out.batch": _whole(1, 1_000),
    "out.file": _path,
    "active_max": _whole(1, 100_000_000),
}
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
            found[name.replace(".", "_")] = _READERS[name](value)
        except _Wrong as wrong:
            faults.append(f"{place}: {name} {wrong}")
    if faults:
        raise SettingsError(faults)
    return Settings(**found)  # type: ignore[arg-type]


def _option(value: object) -> object:
    return value if isinstance(value, int) else _Text(value)


def _in_environment(environment: Mapping[str, str], faults: list[str]) -> Iterator[tuple[str, str, object]]:
    for variable in sorted(environment):
        if not variable.startswith("DMS_") or variable == CONFIG or _NOT_OURS.fullmatch(variable):
            continue
        name = _VARIABLES.get(variable)
        if name is None:
            faults.append(f"{shown(variable)[1:-1]}: no such setting{_guess(variable, _VARIABLES)}")
        else:
            yield variable, name, _Text(environment[variable])


def _in_file(path: Path, place: str, faults: list[str]) -> Iterator[tuple[str, str, object]]:
    try:
        _text(str(path))
    except _Wrong as wrong:
        faults.append(f"{place}: the file's name {wrong}")
        return
    found = Faults()
    root = read_toml(path, found)
    # A file in which everything is commented out is how settings are shipped.
    faults.extend(str(fault) for fault in found.found if fault.message != "the file is empty")
    if root is None:
        return
    for key in root:
        if key not in _SECTIONS:
            yield from _setting(root, key, key, faults)
            continue
        section = root.table(key, key)
        if section is None:
            faults.append(f"{_place(root, key)}: {key} is a table, not {shown(root.raw(key))} (write [{key}])")
            continue
        for inner in section:
            yield from _setting(section, inner, f"{key}.{inner}", faults)


def _setting(table: Table, key: str, name: str, faults: list[str]) -> Iterator[tuple[str, str, object]]:
    if name in _READERS:
        yield _place(table, key), name, table.raw(key)
    else:
        faults.append(f"{_place(table, key)}: unknown setting {shown(name)}{_guess(name, _READERS)}")


def _place(table: Table, key: str) -> str:
    place = table.place_of(key)
    return f"{place.file}:{place.line}"


def _guess(word: str, known: Mapping[str, object]) -> str:
    guess = Faults().guess(word, known)
    return f" ({guess})" if guess else ""
