"""`dms policy publish`, `history` and `rollback`: policies that take effect in every node, without a restart."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from adapters.cli import FINE, Failure, WrongUse
from adapters.settings import Settings, load_settings

if TYPE_CHECKING:
    from adapters.policy_press import Draft
    from adapters.shelf import Shelf

Config = Annotated[Path | None, Parameter(help="The settings, a TOML file.")]
Note = Annotated[str, Parameter(help="Why, for the history.")]
DryRun = Annotated[bool, Parameter(negative="", help="Only say what it would change.")]


def policy_publish(
    path: Annotated[Path, Parameter(help="A file or a folder.")],
    /,
    *,
    note: Note = "",
    dry_run: DryRun = False,
    config: Config = None,
) -> int:
    """Make a policy hold in all nodes: it is checked as a whole, compared with the one that holds, and published.

    Nodes whose settings say policy = "zookeeper:" (or "local:", without ZooKeeper) take it up within seconds. Another
    policy needs another [policy] version, higher than all before it.

    For example:

        dms policy publish policies/telecom --note "calls begin a week earlier"
    """
    from adapters.policy_press import Refused, drafted
    from adapters.published import POLICY, author, opened_shelf

    settings = load_settings(config)
    with opened_shelf(settings, POLICY) as shelf:
        try:
            draft = drafted(shelf, path, author(), note, _now())
        except Refused as refused:
            raise WrongUse(f"{path}: {refused}") from None
        return _published(shelf, draft, settings, dry_run)


def policy_rollback(
    number: Annotated[int, Parameter(name="NUMBER", help="Of the issue, as dms policy history shows it.")],
    /,
    *,
    note: Note = "",
    dry_run: DryRun = False,
    config: Config = None,
) -> int:
    """Make a policy of the past hold again: it is published anew, under a version above all others.

    Its files stay as they were, their version too: what is published says which one counts.

    For example:

        dms policy rollback 3 --note "too many calls"
    """
    from adapters.policy_press import Refused, redrafted
    from adapters.published import POLICY, author, opened_shelf

    settings = load_settings(config)
    with opened_shelf(settings, POLICY) as shelf:
        try:
            draft = redrafted(shelf, number, author(), note, _now())
        except Refused as refused:
            raise WrongUse(str(refused)) from None
        return _published(shelf, draft, settings, dry_run)


def policy_history(*, config: Config = None) -> int:
    """Show the policies that were published, the newest first; the one that holds is marked by a star.

    For example:

        dms policy history
    """
    from adapters.policy_press import history
    from adapters.published import POLICY, opened_shelf

    with opened_shelf(load_settings(config), POLICY) as shelf:
        issues = list(history(shelf))
    if not issues:
        print("no policy was published (dms policy publish PATH)", file=sys.stderr)
    for issue in issues:
        mark = "*" if issue.holds else " "
        if issue.publication is None:
            print(f"{mark} {issue.number:>4}  cannot be read by this release")
            continue
        it = issue.publication
        again = f"issue {it.again} again" if it.again is not None else ""
        said = ": ".join(part for part in (again, it.note) if part)
        named = f"{it.name} version {it.version}"
        print(f"{mark} {issue.number:>4}  {instant(it.at)}  {named}  {it.author}  {said}".rstrip())
    return FINE


def instant(at: int) -> str:
    """Microseconds as a person reads them, in UTC."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _now() -> int:
    return time.time_ns() // 1_000


def _published(shelf: "Shelf", draft: "Draft", settings: Settings, dry_run: bool) -> int:
    from adapters.policy_press import Refused, publish

    for change in draft.changes:
        print(change)
    if not draft.changes:
        print("it says what holds already: nothing is published", file=sys.stderr)
        return FINE
    if dry_run:
        return FINE
    try:
        publish(shelf, draft)
    except Refused as refused:
        raise Failure(str(refused)) from None
    print(f"published as issue {draft.number}: {draft.policy.name} version {draft.policy.version}", file=sys.stderr)
    if settings.policy_kind == "files":
        wanted = f'policy = "{settings.coordination_kind}:"'
        print(f"these settings read {settings.policy}: nodes take up what is published with {wanted}", file=sys.stderr)
    return FINE
