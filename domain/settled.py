"""What of a ledger is over, packed into one text: a line for each paid item, spent payment and closed claim.

No timer looks at it, but late news does: an id that comes twice, a reversal, a dispute, an adjustment. A line takes 40
bytes where objects with their places in dicts take 300, and most of what a profile knows after a year is settled.

A line is a letter with the id, then numbers after tabs: an item's arrival (marked ``#``), due day, earliest reminder,
and the rules that have reminded of it; a payment's amount, arrival and, in pairs, which arrivals it paid how much of.
"""

from collections.abc import Iterator
from typing import Final

ITEM: Final = "I"
PAYMENT: Final = "P"
REVERSED: Final = "R"
CLAIM: Final = "C"


def line(letter: str, name: str, *values: object) -> str:
    """A line to add. Names may be any text, values are numbers."""
    return f"\n{letter}{_written(name)}\t" + "\t".join([str(value) for value in values])


def item_line(item_id: str, arrival: int, due: int, since: int, reminded: tuple[str, ...]) -> str:
    """The line of an item of which nothing is left and nothing disputed."""
    rules = "".join(["\t" + _written(rule) for rule in reminded]) if reminded else ""
    return f"\n{ITEM}{_written(item_id)}\t#{arrival}\t{due}\t{since}{rules}"


def place(text: str, letter: str, name: str) -> int:
    """Where the line of this letter and name begins, or -1."""
    return text.find(f"\n{letter}{_written(name)}\t")


def place_of_arrival(text: str, arrival: int) -> int:
    """Where the line of the item of this arrival begins, or -1."""
    mark = text.find(f"\t#{arrival}\t")
    return text.rfind("\n", 0, mark) if mark >= 0 else -1


def fields(text: str, at: int) -> list[str]:
    """The fields of the line that begins at ``at``, its name first."""
    end = text.find("\n", at + 1)
    parts = (text[at + 2 :] if end < 0 else text[at + 2 : end]).split("\t")
    parts[0] = read(parts[0])
    return parts


def without(text: str, at: int) -> str:
    """The text without the line that begins at ``at``."""
    end = text.find("\n", at + 1)
    return text[:at] if end < 0 else text[:at] + text[end:]


def lines(text: str, letter: str) -> Iterator[list[str]]:
    """The fields of every line of this letter, in the order in which they were settled."""
    at = text.find("\n" + letter)
    while at >= 0:
        yield fields(text, at)
        at = text.find("\n" + letter, at + 1)


def _written(name: str) -> str:
    """The name without tabs and line ends, in one byte a character: nearly all are that already."""
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return name.encode("unicode_escape").decode("ascii")


def read(name: str) -> str:
    """The name that was written."""
    return name.encode("ascii").decode("unicode_escape") if "\\" in name else name
