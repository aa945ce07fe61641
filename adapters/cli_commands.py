"""The short commands: `dms import`, `dms policy`, `dms store`, `dms demo`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from adapters.cli import FINE, WRONG_USE, Failure, WrongUse, file_named, out_named

Config = Annotated[Path | None, Parameter(help="The settings, a TOML file.")]


def policy_check(path: Annotated[Path, Parameter(help="A file or a folder.")], /) -> int:
    """Say what a policy says, or what is wrong with it: every fault on one line, with file and line.

    For example:

        dms policy check policies/telecom
    """
    from adapters.cli_policy import check

    return check(path)


def policy_diff(
    a: Annotated[Path, Parameter(help="The policy as it was.")],
    b: Annotated[Path, Parameter(help="The policy as it is to be.")],
    /,
) -> int:
    """Say what changes from one policy to another, and for whom: a sentence for each change, none for none.

    For example:

        dms policy diff policies/telecom policies/soft
    """
    from adapters.cli_policy import diff

    return diff(a, b)


def import_csv(
    csv: Annotated[str, Parameter(help="The table; - for standard input.")],
    /,
    *,
    columns: Annotated[
        list[str],
        Parameter(name="--map", consume_multiple=True, help="COLUMN=FIELD, once for each field."),
    ],
    out: Annotated[str | None, Parameter(help="Where the events go instead of standard output.")] = None,
    timezone: Annotated[str, Parameter(help="Of the table's dates.")] = "Europe/Moscow",
    currency: Annotated[str, Parameter(help="Of the table's amounts.")] = "RUB",
    party: Annotated[Literal["person", "organisation"], Parameter(help="Who the customers are.")] = "organisation",
    amount_unit: Annotated[Literal["minor", "major"], Parameter(help="Kopecks, or roubles.")] = "minor",
) -> int:
    """Turn a payment history into events, in order of time. Rows that cannot be used are named, and left out.

    For example:

        dms import invoices.csv --map customer=subject --map number=invoice_id --out events.jsonl
    """
    from adapters.json_lines import line_writer
    from adapters.payment_history import HistoryOptions, import_history

    target = out_named(out)
    options = HistoryOptions(timezone=timezone, currency=currency, party=party, amount_unit=amount_unit)
    history = import_history(file_named(csv), columns, options)
    with line_writer(target) as writer:
        for body in history.events:
            writer.write(body)
    for fault in history.faults:
        print(fault, file=sys.stderr)
    if history.refused > len(history.faults):
        print(f"and {history.refused - len(history.faults)} more", file=sys.stderr)
    said = f"{history.rows - history.refused} of {history.rows} rows became {len(history.events)} events"
    print(said, file=sys.stderr)
    return WRONG_USE if history.refused else FINE


def store_verify(
    *,
    config: Config = None,
    quick: Annotated[bool, Parameter(help="Only what SQL can tell (PostgreSQL): no profile is rebuilt.")] = False,
) -> int:
    """Check every invariant of the stored data; print what does not hold, a line each.

    May run beside engines that work on the store.

    For example:

        dms store verify --config dms.toml
    """
    from adapters.settings import load_settings

    settings = load_settings(config)
    from adapters.bootstrap import verify_store

    faults, counts = verify_store(settings, quick)
    for fault in faults:
        print(fault)
    if faults:
        raise Failure(f"{len(faults)} invariants do not hold")
    print("everything holds: " + ", ".join(f"{count} {table}" for table, count in counts.items()))
    return FINE


def store_migrate(*, config: Config = None) -> int:
    """Create the store, or bring its schema up to this release.

    On PostgreSQL engines of the release before go on meanwhile; on a SQLite file no engine may work.

    For example:

        dms store migrate --config dms.toml
    """
    from adapters.settings import load_settings

    settings = load_settings(config)
    from adapters.bootstrap import migrate_store

    migrate_store(settings)
    return FINE


def store_trim(
    *,
    keep_months: Annotated[int, Parameter(help="How many whole months of the journal stay, before this one.")],
    config: Config = None,
) -> int:
    """Drop the months of the journal that are older, and say which. Engines go on meanwhile. PostgreSQL only.

    Profiles stay as they are; what is dropped can no longer be told by --why, nor replayed.

    For example:

        dms store trim --keep-months 36 --config dms.toml
    """
    from adapters.settings import load_settings

    if not 0 < keep_months <= 1_200:
        raise WrongUse(f"--keep-months must be between 1 and 1200, not {keep_months}")
    settings = load_settings(config)
    from adapters.bootstrap import trim_store

    dropped = trim_store(settings, keep_months)
    print(f"dropped {', '.join(dropped)}" if dropped else "nothing is that old")
    return FINE


def demo(
    *,
    accounts: Annotated[int, Parameter(help="How many the operator has.")] = 3_000,
    days: Annotated[int, Parameter(help="How many pass.")] = 120,
    seconds: Annotated[float, Parameter(help="In about so many.")] = 75.0,
    seed: Annotated[int, Parameter(help="One seed makes one world.")] = 1,
    http: Annotated[str, Parameter(help="Where the engine answers meanwhile; empty for nowhere.")] = "127.0.0.1:8080",
    keep: Annotated[Path | None, Parameter(help="A new file in which the store stays, to look into.")] = None,
) -> int:
    """Show the engine at work: a synthetic operator feeds it on an accelerated clock. Ctrl-C ends it.

    For example:

        dms demo --accounts 1000 --days 90 --seconds 30
    """
    from adapters.settings import load_settings

    for name, value, most in (("accounts", accounts, 1_000_000), ("days", days, 3_650), ("seconds", seconds, 86_400)):
        if not 1 <= value <= most:
            raise WrongUse(f"--{name} must be between 1 and {most}, not {value:g}")
    http = load_settings(None, {"http": http}, {}).http
    from adapters.demo import run_demo

    return run_demo(accounts=accounts, days=days, seconds=seconds, seed=seed, http=http, keep=keep)
