"""Tables of a TOML file read key by key: each accessor checks what it takes, and `close` reports what nobody asked for.

An accessor never raises. On a wrong value it notes a fault and answers with the default, so that one pass finds all.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from math import isfinite
from pathlib import Path
from typing import Final, TypeVar

from adapters.faults import Faults, Place, one_of, shown
from adapters.toml_edits import Edits
from adapters.toml_lines import TooDeep, lines_of
from domain.calendar import DAY, HOUR, MINUTE, SECOND

T = TypeVar("T")

FILE_BYTES_MAX: Final = 1 << 20
TEXT_MAX: Final = 1_000
MONEY_MAX: Final = 10**15
DAYS_MAX: Final = 3_650
NUMBERS_MAX: Final = 100

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2})", re.ASCII)
_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_DIGITS: Final = re.compile(r"[0-9_]{1000,}")


def read_toml(path: Path, faults: Faults, edits: Edits | None = None) -> "Table | None":
    """The root table of a file, with ``edits`` made; None, with the fault noted, where there is none to be had."""
    name = str(path)
    whole = Place(name, {})
    try:
        if not path.is_file():
            faults.add(whole, "no such file" if not path.exists() else "not a regular file")
            return None
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        faults.add(whole, f"cannot be read: {error.strerror or error}")
        return None
    if len(content) > FILE_BYTES_MAX:
        faults.add(whole, f"larger than {FILE_BYTES_MAX // 1024} KiB", "a folder may hold several files")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(_line(name, content[: error.start].count(b"\n") + 1), "not UTF-8 text", "save the file as UTF-8")
        return None
    return _parsed(name, text, faults, edits)


def _parsed(name: str, text: str, faults: Faults, edits: Edits | None) -> "Table | None":
    try:
        lines = lines_of(text)
        values = tomllib.loads(text)
    except TooDeep as error:
        faults.add(_line(name, error.line), str(error))
    except tomllib.TOMLDecodeError as error:
        said = _AT_LINE.search(str(error))
        line = int(said[1]) if said and said[1] else text.count("\n") + 1
        message = _AT_LINE.sub("", str(error))
        faults.add(_line(name, line), f"not TOML: {message[:1].lower()}{message[1:]}")
    except ValueError:  # an integer of more digits than Python converts
        found = _DIGITS.search(text)
        faults.add(_line(name, text.count("\n", 0, found.start()) + 1 if found else 1), "a number of too many digits")
    except RecursionError:  # lines_of should have said so before
        faults.add(_line(name, 1), "nested too deeply")
    else:
        if values:
            if edits is not None:
                edits.apply(values)
            return Table(Place(name, lines), values, faults, "the file")
        faults.add(_line(name, 1), "the file is empty")
    return None


def _line(name: str, line: int) -> Place:
    return Place(name, {("here",): line}, ("here",))


class Table:
    """One table, with the place of each of its keys.

    ``title`` names it in faults. ``places`` is set where the keys come from several files.
    """

    def __init__(
        self,
        place: Place,
        values: Mapping[str, object],
        faults: Faults,
        title: str,
        places: Mapping[str, Place] | None = None,
    ) -> None:
        self.place: Final = place
        self.title: Final = title
        self.faults: Final = faults
        self._values: Final = values
        self._places: Final = places or {}
        self._asked: Final[set[str]] = set()

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def place_of(self, key: str) -> Place:
        """Where ``key`` stands; where it is missing, the table."""
        if key not in self._values:
            return self.place
        return self._places.get(key) or self.place.at(key)

    def raw(self, key: str) -> object:
        """The value as the parser gave it, or None; the caller checks it."""
        self._asked.add(key)
        return self._values.get(key)

    def fault(self, key: str, message: str, hint: str = "") -> None:
        """Notes a fault of ``key``; the table's title is put before ``message``."""
        self.faults.add(self.place_of(key), f"{self.title}: {message}", hint)

    def require(self, *keys: str) -> None:
        """Notes a fault for each of ``keys`` that is missing."""
        for key in keys:
            if key not in self:
                self.faults.add(self.place, f"{self.title}: {key} is missing")

    def close(self) -> None:
        """Notes a fault for every key that no accessor asked for."""
        for key in self._values:
            if key not in self._asked:
                self.fault(key, f"unknown key {shown(key)}", self.faults.guess(key, self._asked))

    def text(self, key: str, default: T) -> str | T:
        """A string that is neither empty nor longer than `TEXT_MAX`."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, str):
            return self._ill_typed(key, value, "a string", default)
        if not value.strip() or len(value) > TEXT_MAX:
            self.fault(key, f"{key} must have between 1 and {TEXT_MAX} characters")
            return default
        return value

    def choice(self, key: str, default: T, allowed: Collection[str]) -> str | T:
        """A string out of ``allowed``."""
        value = self.text(key, None)
        if value is None:
            return default
        if value not in allowed:
            guess = self.faults.guess(value, allowed)
            self.fault(
                key, f"{key} must be {one_of(sorted(allowed))}, not {shown(value)}", guess if "mean" in guess else ""
            )
            return default
        return value

    def integer(self, key: str, default: T, *, least: int = 0, most: int = MONEY_MAX) -> int | T:
        """An integer within the bounds, both included. A boolean is none."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            return self._ill_typed(key, value, "an integer", default)
        if not least <= value <= most:
            bound = f"at least {least}" if value < least else f"at most {most}"
            self.fault(key, f"{key} must be {bound}, not {shown(value)}")
            return default
        return value

    def number(self, key: str, default: T, *, least: float = 0, most: float = MONEY_MAX) -> float | T:
        """A finite number within the bounds, both included."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self._ill_typed(key, value, "a number", default)
        if not least <= value <= most:  # false for what is not a number, too
            self.fault(key, f"{key} must be between {least:g} and {most:g}, not {shown(value)}")
            return default
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        return self._ill_typed(key, value, "true or false", default)

    def duration(self, key: str, default: T) -> int | T:
        """A duration of more than nothing, in microseconds."""
        value = self.raw(key)
        if value is None:
            return default
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None or int(match[1]) == 0:
            self.fault(key, f"{key} must be a duration, not {shown(value)}", 'such as "90s", "10m", "4h" or "1d"')
            return default
        return int(match[1]) * _UNITS[match[2]]

    def time_of_day(self, key: str, default: int) -> int:
        """Seconds since midnight, from "00:00" to "23:59"."""
        value = self.raw(key)
        if value is None:
            return default
        seconds = seconds_of(value) if isinstance(value, str) else None
        if seconds is None or seconds >= 24 * 3600:
            hint = 'in quotes, such as "10:00"' if isinstance(value, (time, int)) else 'such as "10:00"'
            self.fault(key, f"{key} must be a time of day, not {shown(value)}", hint)
            return default
        return seconds

    def texts(self, key: str, most: int) -> tuple[str, ...]:
        """An array of up to ``most`` different strings, none of them empty; without the key, none."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
            self._ill_typed(key, value, "an array of strings", None)
            return ()
        if len(value) > most or len(set(value)) < len(value):
            self.fault(key, f"{key} must hold at most {most} strings, no two alike")
            return ()
        return tuple(value)

    def numbers(
        self,
        key: str,
        default: tuple[float, ...],
        *,
        least: float = 0,
        most: float = MONEY_MAX,
        count: int | None = None,
    ) -> tuple[float, ...]:
        """An array of finite numbers within the bounds: ``count`` of them, or any number up to `NUMBERS_MAX`."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(each, (int, float)) for each in value):
            return self._ill_typed(key, value, "an array of numbers", default)
        if (count is not None and len(value) != count) or not 0 < len(value) <= NUMBERS_MAX:
            self.fault(key, f"{key} must hold {count or f'1 to {NUMBERS_MAX}'} numbers, not {len(value)}")
            return default
        if not all(not isinstance(each, bool) and least <= each <= most for each in value):
            self.fault(key, f"{key} must hold numbers between {least:g} and {most:g}")
            return default
        return tuple(float(each) for each in value)

    def day(self, key: str, default: T) -> int | T:
        """A date, with or without quotes, as an ordinal."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and len(value) == 10:
            with suppress(ValueError):
                value = date.fromisoformat(value)
        if not isinstance(value, date) or isinstance(value, datetime):
            self.fault(key, f"{key} must be a date, not {shown(value)}", "such as 2026-01-01")
            return default
        return value.toordinal()

    def table(self, key: str, title: str) -> "Table | None":
        """The table under ``key``, or None."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            return self._ill_typed(key, value, "a table", None)
        return Table(self.place_of(key), value, self.faults, title)

    def tables(self, key: str, title: str, most: int) -> list["Table"]:
        """The array of tables under ``key``, of which at most ``most`` are looked at; without the key, none."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            hint = f"write [[{key}]]" if isinstance(value, dict) else ""
            self.fault(key, f"{key} must be an array of tables, not {shown(value)}", hint)
            return []
        place = self.place_of(key)
        if len(value) > most:
            self.faults.add(place.at(most), f"more than {most} of {key}")
        return [
            Table(place.at(index), each, self.faults, _titled(title, each)) for index, each in enumerate(value[:most])
        ]

    def _ill_typed(self, key: str, value: object, expected: str, default: T) -> T:
        quoted = isinstance(value, str) and expected in ("an integer", "a number", "true or false")
        self.fault(key, f"{key} must be {expected}, not {shown(value)}", "without quotes" if quoted else "")
        return default


def merged(tables: Sequence[Table]) -> Table | None:
    """One table out of those that several files have under the same header; what two of them say is a fault."""
    if len(tables) < 2:
        return tables[0] if tables else None
    values: dict[str, object] = {}
    places: dict[str, Place] = {}
    for table in tables:
        for key in table:
            if key in values:
                table.fault(key, f"{key} is already in {places[key].file}:{places[key].line}")
            else:
                values[key] = table.raw(key)
                places[key] = table.place_of(key)
    return Table(tables[0].place, values, tables[0].faults, tables[0].title, places)


def seconds_of(text: str) -> int | None:
    """Seconds since midnight of "HH:MM", up to "24:00"; None for anything else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes = int(match[1]), int(match[2])
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        return None
    return hours * 3600 + minutes * 60


def plain(value: object) -> object:
    """A TOML value as JSON carries it: dates and times as text. Raises ValueError for what JSON has no word for."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("neither nan nor inf")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError("no integer beyond 64 bits")
    return value


def _titled(title: str, values: Mapping[str, object]) -> str:
    name = values.get("name", values.get("id"))
    return f"{title} {shown(name)}" if isinstance(name, str) else title
