"""`dms store reconcile`: after a restore from a backup, before any engine starts."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from adapters.cli import FAILED, FINE, Failure, WrongUse, file_named

if TYPE_CHECKING:
    from adapters.reconcile import Left, Reconciled

_SHOWN_MAX = 20


def store_reconcile(
    *,
    left: Annotated[
        list[str], Parameter(consume_multiple=True, help="What left since the backup, from receivers' archives.")
    ],
    events: Annotated[
        list[str] | None, Parameter(consume_multiple=True, help="What publishers have sent again, in order.")
    ] = None,
    out: Annotated[Path | None, Parameter(help="A folder for the lists, as JSON lines.")] = None,
    config: Annotated[Path | None, Parameter(help="The settings, a TOML file.")] = None,
) -> int:
    """Compare what had left with what an engine would send that starts now: for a store restored from a backup.

    The engine is rehearsed on the store, with the events that wait for it, and nothing of the store changes; no other
    may work on it meanwhile. All files are JSON lines, an event or a batch each. Status 1 where somebody's service is
    away, and nothing will give it back.

    For example:

        dms store reconcile --left archive.jsonl --events resent.jsonl --out lists --config dms.toml
    """
    from adapters.letters import CODEC
    from adapters.progress_bar import bar
    from adapters.reconcile import left_since, reconciled, resent, told
    from adapters.settings import load_settings

    settings = load_settings(config)
    if out is not None and out.exists() and not out.is_dir():
        raise WrongUse(f"--out must be a folder: {out} is none")
    from adapters.bootstrap import open_idle_store
    from adapters.published import held_policy
    from adapters.system_clock import SystemClock
    from sim.rehearsal import StoreAtWork, rehearse

    policy = held_policy(settings)
    had_left = list(left_since(map(file_named, left)))
    bodies = list(resent(map(file_named, events or ())))
    with open_idle_store(settings) as store, bar("rehearsing", len(bodies)) as progress:
        try:
            rehearsed = rehearse(
                store,
                policy,
                bodies,
                SystemClock().now(),
                CODEC,
                settings.hold_unknown,
                lambda done: progress(done, len(bodies)),
            )
        except StoreAtWork as at_work:
            raise Failure(f"{settings.store}: {at_work} (stop them, or wait until their leases end)") from None
        found = reconciled(had_left, rehearsed, policy)
    for line in told(found):
        print(line)
    if out is not None:
        _write(out, found)
    for said in _standing(found.standing):
        print(said, file=sys.stderr)
    return FAILED if found.standing else FINE


def _write(folder: Path, found: "Reconciled") -> None:
    from adapters.json_lines import line_writer

    folder.mkdir(parents=True, exist_ok=True)
    for name, commands in (
        ("again", found.again),
        ("later", found.later),
        ("forgotten", found.forgotten),
        ("standing", found.standing),
        ("new", found.new),
    ):
        with line_writer(str(folder / f"{name}.jsonl")) as writer:
            for each in commands:
                writer.write(each.line())


def _standing(commands: "Sequence[Left]") -> "Iterator[str]":
    for each in commands[:_SHOWN_MAX]:
        yield (
            f"{each.subject}: {each.measure} at {each.target} left as {each.command_id} at {each.time}, and nothing "
            "gives it back: have the event sent that is missing, or give it back by hand"
        )
    if len(commands) > _SHOWN_MAX:
        yield f"and {len(commands) - _SHOWN_MAX} more (--out writes them all)"
