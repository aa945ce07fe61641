"""`dms config`: the settings that can be changed while nodes run."""

import sys
import time
from contextlib import suppress
from threading import Event
from typing import Annotated, Final

from cyclopts import Parameter

from adapters.cli import FINE, Failure, WrongUse
from adapters.cli_publish import Config, Note, instant
from adapters.settings import LIVE, Settings, live_settings, load_settings
from domain.calendar import DAY, HOUR, MINUTE, SECOND

_DURATIONS: Final = frozenset({"hold_unknown", "ids_remembered"})
_UNITS: Final = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))


def config_get(
    name: Annotated[str | None, Parameter(name="NAME", help="One of them; without it, all.")] = None,
    /,
    *,
    config: Config = None,
) -> int:
    """Show the settings that can be changed while nodes run: what is published, and else what --config says.

    For example:

        dms config get log.level
    """
    from adapters.live_settings import published
    from adapters.published import CONFIG, opened_shelf

    own = load_settings(config)
    if name is not None and name not in LIVE:
        live_settings(own, {name: ""})
    with opened_shelf(own, CONFIG) as shelf:
        values = published(shelf).values
    settings = live_settings(own, values)
    if name is not None:
        print(_shown(settings, name))
        return FINE
    for each in LIVE:
        whose = "published" if each in values else "each node's own; of these settings"
        print(f"{each} = {_shown(settings, each)}  ({whose})")
    return FINE


def config_set(
    name: Annotated[str, Parameter(name="NAME", help="Such as log.level.")],
    value: Annotated[str | None, Parameter(name="VALUE", help="As in the settings file, without quotes.")] = None,
    /,
    *,
    own: Annotated[bool, Parameter(negative="", help="Leave it to each node's own settings again.")] = False,
    note: Note = "",
    config: Config = None,
) -> int:
    """Change a setting in all nodes while they run. What is published goes over files, variables and options.

    For example:

        dms config set log.level DEBUG --note "looking for ACC-1001"
    """
    from adapters.live_settings import change
    from adapters.policy_press import Refused
    from adapters.published import CONFIG, author, opened_shelf

    if own == (value is not None):
        raise WrongUse("give a VALUE, or --own, and not both")
    settings = load_settings(config)
    with opened_shelf(settings, CONFIG) as shelf:
        try:
            is_other = change(shelf, {name: value}, author(), note, time.time_ns() // 1_000)
        except Refused as refused:
            raise Failure(str(refused)) from None
    print("published" if is_other else "it is so already: nothing is published", file=sys.stderr)
    return FINE


def config_history(*, config: Config = None) -> int:
    """Show the changes that were made, the newest first; the issue that holds is marked by a star.

    For example:

        dms config history
    """
    from adapters.live_settings import history
    from adapters.published import CONFIG, opened_shelf

    with opened_shelf(load_settings(config), CONFIG) as shelf:
        changes = list(history(shelf))
    if not changes:
        print("nothing was published (dms config set NAME VALUE)", file=sys.stderr)
    for each in changes:
        mark = "*" if each.holds else " "
        values = ", ".join(_said(name, value) for name, value in each.changed.items()) or "no change"
        line = f"{mark} {each.number:>4}  {instant(each.issue.at)}  {values}  {each.issue.author}  {each.issue.note}"
        print(line.rstrip())
    return FINE


def config_rollback(
    number: Annotated[int, Parameter(name="NUMBER", help="Of the issue, as dms config history shows it.")],
    /,
    *,
    note: Note = "",
    config: Config = None,
) -> int:
    """Set what an issue of the past had set, and nothing else, in all nodes.

    For example:

        dms config rollback 2
    """
    from adapters.live_settings import restore
    from adapters.policy_press import Refused
    from adapters.published import CONFIG, author, opened_shelf

    with opened_shelf(load_settings(config), CONFIG) as shelf:
        try:
            is_other = restore(shelf, number, author(), note, time.time_ns() // 1_000)
        except Refused as refused:
            raise WrongUse(str(refused)) from None
    print("published" if is_other else "it is so already: nothing is published", file=sys.stderr)
    return FINE


def config_watch(*, config: Config = None) -> int:
    """Tell of each change as it comes, a line each, beginning with what is published now. Ctrl-C ends it.

    For example:

        dms config watch
    """
    from adapters.live_settings import issue_of
    from adapters.lookout import Unreachable
    from adapters.published import CONFIG, opened_shelf

    told: dict[str, str] = {}
    known: int | None = None
    changed = Event()
    with opened_shelf(load_settings(config), CONFIG) as shelf:
        shelf.listen(changed.set)
        while True:
            changed.clear()
            with suppress(Unreachable):  # it is told when it is back
                current = shelf.current(lambda *_: changed.set())
                # Each issue in its turn; a number lower than before is of a shelf that was wiped.
                first = known + 1 if known is not None and known <= current else max(1, current)
                for number in range(first, current + 1):
                    issue = issue_of(shelf, number)
                    for name in LIVE:
                        if issue.values.get(name) != told.get(name):
                            said = _said(name, issue.values.get(name))
                            print(f"{instant(issue.at)}  {said}  {issue.author}", flush=True)
                    told = issue.values
                known = current
            changed.wait(shelf.look_seconds)


def _said(name: str, value: str | None) -> str:
    return f"{name} = {value}" if value is not None else f"{name}: each node's own"


def _shown(settings: Settings, name: str) -> str:
    """The value as it would be typed."""
    value = getattr(settings, name.replace(".", "_"))
    if name in _DURATIONS:
        unit, letter = next(each for each in _UNITS if value % each[0] == 0)
        return f"{value // unit}{letter}"
    return str(value)
