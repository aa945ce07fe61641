"""Settings that are changed while nodes run: published like policies, with their history, and applied by every node."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from adapters.logs import Log
from adapters.lookout import Lookout, Unreachable
from adapters.policy_press import NOTE_MAX, Refused
from adapters.settings import LIVE, Settings, SettingsError, live_settings
from adapters.shelf import Overtaken, Shelf


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """All that is set live, by name of setting, as text; ``at`` is in microseconds."""

    values: dict[str, str]
    author: str
    at: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An issue of the past, and the settings in it that were others before; None: what each node sets itself."""

    number: int
    holds: bool
    issue: Values
    changed: Mapping[str, str | None]


def published(shelf: Shelf) -> Values:
    """What is set live now; nothing where nobody has set anything."""
    return issue_of(shelf, shelf.current())


def issue_of(shelf: Shelf, number: int) -> Values:
    """What an issue sets live; nothing where it is not there, or cannot be read."""
    body = shelf.body(number) if number else None
    if body is not None:
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(body, type=Values)
    return Values(values={}, author="", at=0)


def change(shelf: Shelf, changed: Mapping[str, str | None], author: str, note: str, at: int) -> bool:
    """Sets settings live, or with None leaves them to each node again; whether that makes a difference.

    Raises `SettingsError` for what is no live setting or no value of one, `Refused` where somebody else was quicker.
    """
    unknown = {name: value for name, value in changed.items() if value is not None or name not in LIVE}
    settings = live_settings(Settings(), {name: value or "" for name, value in unknown.items()})
    current = shelf.current()
    before = issue_of(shelf, current).values
    values = {name: _canonical(settings, name, value) for name, value in {**before, **changed}.items() if value}
    return _put(shelf, current, before, Values(values=values, author=author, at=at, note=note))


def restore(shelf: Shelf, number: int, author: str, note: str, at: int) -> bool:
    """Sets live what was set by an issue of the past, and nothing else; whether that makes a difference."""
    current = shelf.current()
    if not 0 < number <= current or shelf.body(number) is None:
        raise Refused(f"there is no issue {number} (dms config history lists them)")
    old = issue_of(shelf, number).values
    live_settings(Settings(), old)
    note = note or f"as in issue {number}"
    return _put(shelf, current, issue_of(shelf, current).values, Values(values=old, author=author, at=at, note=note))


def history(shelf: Shelf) -> Iterator[Change]:
    """The issues that are kept, the newest first, each with what it changed."""
    current = shelf.current()
    numbers = shelf.numbers()
    issues = {number: issue_of(shelf, number) for number in numbers}
    for number in reversed(numbers):
        now, before = issues[number].values, issues[number - 1].values if number - 1 in issues else {}
        changed = {name: now.get(name) for name in LIVE if now.get(name) != before.get(name)}
        yield Change(number=number, holds=number == current, issue=issues[number], changed=changed)


class LiveSettings:
    """The settings of this node with what is published over them. What is wrong is logged, and changes nothing."""

    def __init__(self, shelf: Shelf, own: Settings, log: Log) -> None:
        self._shelf: Final = shelf
        self._own: Final = own
        self._log: Final = log
        self._number = 0
        self._settings = own
        self._listeners: Final[list[Callable[[Settings], None]]] = []
        self._lookout: Final = Lookout("settings", self._look, self._failed)

    def current(self) -> Settings:
        """The settings that hold now."""
        return self._settings

    def listen(self, changed: Callable[[Settings], None]) -> None:
        """Calls it with the new settings whenever they change, in a thread of this object's."""
        self._listeners.append(changed)

    def start(self) -> None:
        """Watches the shelf, in a thread; the first look is not waited for."""
        self._shelf.listen(self._lookout.poke)
        self._lookout.start()

    def stop(self) -> None:
        """Watches no more."""
        self._lookout.stop(2)

    def _look(self) -> float:
        try:
            number = self._shelf.current(self._lookout.poke)
            if number != self._number:
                body = self._shelf.body(number) if number else None
                self._number = number
                self._read(body, number)
        except Unreachable:
            return 1.0  # the session says so, and pokes when it is back
        return self._shelf.look_seconds

    def _read(self, body: bytes | None, number: int) -> None:
        if body is None:
            self._log.warn("no settings are published any more; those that hold go on")
            return
        try:
            values = msgspec.json.decode(body, type=Values).values
        except msgspec.MsgspecError as error:
            self._log.error("published settings are refused; those that hold go on", issue=number, fault=str(error))
            return
        self._adopt(values, number)

    def _adopt(self, values: Mapping[str, str], number: int) -> None:
        try:
            settings = live_settings(self._own, values)
        except SettingsError as error:
            for fault in error.faults:
                self._log.error("published settings are refused; those that hold go on", issue=number, fault=fault)
            return
        if settings == self._settings:
            return
        self._settings = settings
        self._log.info("other settings hold", issue=number, **{name.replace(".", "_"): values[name] for name in values})
        for listener in self._listeners:
            try:
                listener(settings)
            except Exception as failure:  # the others hear of it all the same
                self._log.failure("a setting could not be applied", failure, issue=number)

    def _failed(self, failure: Exception) -> None:
        self._log.failure("published settings could not be looked at; those that hold go on", failure)


def _canonical(settings: Settings, name: str, value: str) -> str:
    """Words in the case in which they are known, numbers and durations as they were typed."""
    found = getattr(settings, name.replace(".", "_"))
    return found if isinstance(found, str) and found.lower() == value.lower() else value


def _put(shelf: Shelf, current: int, before: Mapping[str, str], values: Values) -> bool:
    if len(values.note) > NOTE_MAX or not (values.note.isprintable() or not values.note):
        raise Refused(f"the note must be one line of at most {NOTE_MAX} characters")
    if values.values == before:
        return False
    try:
        shelf.put(current + 1, msgspec.json.encode(values))
    except Overtaken:
        raise Refused("somebody else has changed settings meanwhile (dms config history), nothing was done") from None
    return True
