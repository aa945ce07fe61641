"""`dms profile`: one debt, as a person asks about it."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from adapters.cli import FINE, Failure

if TYPE_CHECKING:
    from adapters.profile_view import ProfileView
    from domain.policy import Policy
    from engine.ports import JournalEntry, QuarantinedEvent


class Section(NamedTuple):
    """A table with a title; ``columns`` may be empty where the cells speak for themselves."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def profile(
    profile_id: Annotated[str, Parameter(name="ID", help="The profile's id, such as ACC-1001.")],
    /,
    *,
    why: Annotated[bool, Parameter(negative="", help="Also why everything happened, and will happen.")] = False,
    config: Annotated[Path | None, Parameter(help="The settings, a TOML file.")] = None,
) -> int:
    """Show a debt: its state, items and run, who did what, and what comes next if nobody pays.

    May run beside an engine that works on the store.

    For example:

        dms profile ACC-1001 --why
    """
    from adapters.settings import load_settings

    settings = load_settings(config)
    from adapters.bootstrap import open_reader
    from adapters.profile_view import view_of
    from adapters.published import held_policy
    from adapters.system_clock import SystemClock

    policy = held_policy(settings)
    with open_reader(settings) as reader:
        state = reader.state(profile_id)
        stuck = reader.quarantined(profile_id)
        if state is None and not stuck:
            raise Failure(f"no profile {profile_id!r} in {settings.store.removeprefix('sqlite:///')}")
        sections = [_stuck(profile_id, stuck, policy)] if stuck else []
        if state is not None:
            view = view_of(profile_id, state, policy, SystemClock().now())
            sections += [*_about(view, policy), _history(reader.journal(profile_id), policy, why), _next(view, why)]
    for line in _lines(sections):
        print(line)
    return FINE


def _about(view: "ProfileView", policy: "Policy") -> Iterator[Section]:
    from domain.forecast import money

    attributes = ", ".join(f"{name}={value}" for name, value in view.attributes.items())
    who = f"{view.party or 'party unknown'}, {view.projection}, ledger {view.ledger}, {view.currency}"
    rows = [[who], *([[attributes]] if attributes else []), *[[line] for line in view.standing]]
    if view.group or view.manager:
        rows.append([f"served by {view.manager or 'nobody in person'}, group {view.group or 'none'}"])
    yield Section(f"{view.profile_id} (times in {policy.zone.name})", (), rows)
    if view.items:
        listed = [
            [each.invoice_id or "(balance)", each.due_on, money(each.left, policy), money(each.claimed, policy)]
            for each in view.items
        ]
        if view.items_count > len(view.items):
            listed.append([f"and {view.items_count - len(view.items)} more", "", "", ""])
        yield Section("Unpaid", ("invoice", "due", "left", "disputed"), listed)
    if view.restrictions:
        restricted = [
            [each.measure, each.target, each.state, ", ".join(each.command_ids)] for each in view.restrictions
        ]
        yield Section("Taken away", ("measure", "target", "state", "command"), restricted)
    if view.tasks:
        tasks = [[each.task_id, each.measure, each.why, each.opened_at] for each in view.tasks]
        yield Section("Work for people", ("task", "measure", "why", "since"), tasks)


def _stuck(profile_id: str, events: "Iterable[QuarantinedEvent]", policy: "Policy") -> Section:
    from adapters.cloud_events import decode
    from domain.forecast import local
    from engine.envelope import Envelope

    rows = []
    for each in events:
        event = decode(each.body)[0]
        named = f"{event.type} {event.event_id}" if isinstance(event, Envelope) else "unreadable"
        rows.append([local(each.accepted_at, policy), named, each.reason])
    return Section(f"{profile_id} is in quarantine until somebody releases it", ("since", "event", "why"), rows)


def _history(entries: "Iterable[JournalEntry]", policy: "Policy", why: bool) -> Section:
    from adapters.journal_words import told
    from domain.forecast import local

    rows = []
    for entry in entries:
        said = told(entry.fact, policy)
        row = [local(entry.fact.at, policy), said.who, said.what]
        rows.append([*row, said.why] if why else row)
    return Section("History", ("at", "who", "what", "why") if why else ("at", "who", "what"), rows)


def _next(view: "ProfileView", why: bool) -> Section:
    rows = [[step.local, step.what, step.why] if why else [step.local, step.what] for step in view.next]
    if not rows:
        rows = [["", "nothing, until a message comes", ""] if why else ["", "nothing, until a message comes"]]
    return Section("What comes next, if nobody pays", ("at", "what", "why") if why else ("at", "what"), rows)


def _lines(sections: Sequence[Section]) -> Iterator[str]:
    """Tables in colours on a terminal, columns of plain text elsewhere."""
    if sys.stdout.isatty():
        yield from _drawn(sections)
        return
    for number, section in enumerate(sections):
        if number:
            yield ""
        yield section.title
        rows = [[_printable(cell) for cell in row] for row in [section.columns, *section.rows] if row]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _drawn(sections: Sequence[Section]) -> Iterator[str]:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    with console.capture() as captured:
        for section in sections:
            table = Table(
                title=Text(_printable(section.title), style="bold"),
                title_justify="left",
                box=box.SIMPLE_HEAD if section.columns else None,
                show_header=bool(section.columns),
            )
            for column in section.columns or ("",):
                table.add_column(column)
            for row in section.rows:
                table.add_row(*[Text(_printable(cell)) for cell in row])
            console.print(table)
    yield captured.get().rstrip("\n")


def _printable(text: str) -> str:
    """Notes and reasons come from outside: what would steer a terminal is shown, not obeyed."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
