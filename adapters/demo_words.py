"""The demo's words: kinds of measures and their colours, decisions in plain words, figures that line up."""

from datetime import date
from typing import Any, Final

from domain.calendar import date_of, time_of
from sim.operator import SyntheticOperator

WIDTH_MAX: Final = 100
KINDS: Final = ("notify", "call", "restrict", "restore", "task", "terminate", "legal")
REASONS: Final = ("plan", "cured", "ordered", "prevention")
STYLES: Final = {
    "notify": "cyan", "call": "yellow", "restrict": "red", "restore": "green", "task": "magenta",
    "terminate": "bold red", "legal": "bold red", "promise.kept": "green", "promise.broken": "yellow",
}  # fmt: skip
_DONE: Final = {"block": "blocked", "cut": "cut off", "limit": "slowed down", "stop": "stopped"}


def in_words(command: dict[str, Any]) -> str:
    """A command in plain words: ``internet blocked``, ``SMS: internet will be blocked``."""
    verb, _, service = command["measure"].partition("-")
    said = plain(command["template"] or command["measure"])
    match command["kind"]:
        case "notify":
            return f"{'SMS' if command['channel'] == 'sms' else command['channel'] or 'message'}: {said}"
        case "call":
            return f"automatic call: {said}"
        case "restrict" if verb in _DONE:
            return f"{plain(service)} {_DONE[verb]}"
        case "restore":
            return f"{plain(service)} given back, {'paid up' if command['reason'] == 'cured' else 'by a manager'}"
        case "task":
            return f"work for a manager: {said}"
        case "terminate":
            return "contract terminated, a head approved"
        case _:
            return said


def plain(name: str) -> str:
    return name.replace("-", " ")


def spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def or_dot(number: int) -> str:
    return spaced(number) if number else "·"


def whole(minor: int) -> str:
    """Money without its minor units, where every digit moves anyway."""
    return spaced(minor // 100)


def moment(operator: SyntheticOperator, at: int) -> str:
    day = operator.zone.day(at)
    return f"{date.fromordinal(day):%a} {date_of(day)} {time_of(operator.zone.time_of_day(at))}"
