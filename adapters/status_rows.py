"""Months late by client: a table with a row for each client and a column for each month, as banks keep it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from adapters.csv_table import Rows
from adapters.faults import shown
from adapters.history_rows import OptionError
from sim.month_chain import UNKNOWN

FIELD: Final = "months_late"
MONTHS_MAX: Final = 120
_NAMES: Final = re.compile(r"(late_months|months_late|late|status)_?(\d+)", re.IGNORECASE)
_STATUS_MIN: Final = -8
_STATUS_MAX: Final = 120


class StatusColumns(NamedTuple):
    """The places of the months, in order of time, and how many columns there are."""

    places: tuple[int, ...]
    width: int


def status_columns(header: Sequence[str], mapping: Sequence[str], newest_first: bool) -> StatusColumns | None:
    """Where the months stand; None where the table is not one of months late.

    ``COLUMN=months_late`` says so, ``*`` in COLUMN standing for the month's number; without it, columns such as
    ``late_months_1`` or ``months_late_1`` are found by their names. Raises `OptionError`.
    """
    asked = [pair.rpartition("=")[0].strip() for pair in mapping if pair.rpartition("=")[2].strip() == FIELD]
    if not asked:
        found = [(match[1].lower(), int(match[2]), place) for place, match in _matches(header, _NAMES)]
        kinds = {kind for kind, _, _ in found}
        if mapping or len(kinds) != 1 or len(found) < 2:
            return None
        numbered = [(number, place) for _, number, place in found]
    else:
        if len(asked) > 1 or len(mapping) > 1 or asked[0].count("*") != 1:
            raise OptionError(f"--map: one COLUMN={FIELD} with a * for the month's number, and no other, such as "
                              f"'late_months_*={FIELD}'")  # fmt: skip
        before, after = (re.escape(part) for part in asked[0].split("*"))
        pattern = re.compile(f"{before}(\\d+){after}")
        numbered = [(int(match[1]), place) for place, match in _matches(header, pattern)]
    if len(numbered) < 2 or len({number for number, _ in numbered}) < len(numbered) or len(numbered) > MONTHS_MAX:
        raise OptionError(f"months late need 2 to {MONTHS_MAX} columns, one for each month; the columns are "
                          f"{', '.join(header)}")  # fmt: skip
    numbered.sort(reverse=newest_first)
    return StatusColumns(tuple(place for _, place in numbered), len(header))


def read_statuses(
    rows: Rows, columns: StatusColumns, refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, list[int]]]:
    """Each client's line, and his statuses by month: months late, below 1 for not late, `UNKNOWN` for an empty cell.

    ``rows`` begin after the header. A bad row goes to ``refuse`` with its line and what is wrong. Raises `InputError`
    for what cannot be read any further.
    """
    for line, cells in rows:
        try:
            yield line, _statuses(cells, columns)
        except ValueError as error:
            refuse(line, str(error))


def _matches(header: Sequence[str], pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
    for place, name in enumerate(header):
        match = pattern.fullmatch(name.strip())
        if match is not None:
            yield place, match


def _statuses(cells: Sequence[str], columns: StatusColumns) -> list[int]:
    if len(cells) != columns.width:
        raise ValueError(f"{len(cells)} cells where the header has {columns.width}")
    found = []
    for place in columns.places:
        text = cells[place].strip()
        try:
            status = int(text) if text else UNKNOWN
        except ValueError:
            raise ValueError(f"{FIELD}: {shown(text)} is not a whole number") from None
        if text and not _STATUS_MIN <= status <= _STATUS_MAX:
            raise ValueError(f"{FIELD}: {status} is not between {_STATUS_MIN} and {_STATUS_MAX}")
        found.append(status)
    return found
