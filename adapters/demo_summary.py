"""The demo's summary: what it came to, one debtor's story, and what to try next."""

from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adapters.demo_watch import Watch
from adapters.demo_words import KINDS, REASONS, STYLES, WIDTH_MAX, or_dot, spaced
from adapters.journal_words import told
from domain.calendar import date_of
from domain.events import MeasureRequested, PromiseBroken, PromiseKept, RunClosed, RunOpened, TaskClosed
from domain.forecast import counted, local, money
from domain.messages import ContactMade, MeasureFailed, PaymentReceived, PromiseMade, RestrictionLifted
from domain.record import Record
from domain.snapshot import thaw
from engine.ports import StoreReader
from sim.accelerated import Pace

_STORY_MAX: Final = 18
_STORIES_READ: Final = 40
_TOLD: Final = (
    RunOpened, RunClosed, MeasureRequested, PaymentReceived, PromiseMade, PromiseKept, PromiseBroken, ContactMade,
    RestrictionLifted, TaskClosed, MeasureFailed,
)  # fmt: skip


class Summary:
    """What it came to. The engine is judged by billing's books, by what it has sent, and by its own store."""

    def __init__(self, watch: Watch, pace: Pace, reader: StoreReader) -> None:
        self._watch: Final = watch
        self._operator: Final = watch.operator
        self._policy: Final = watch.node.engine.policy
        self._pace: Final = pace
        self._reader: Final = reader

    def picture(self, store: Path | None, width: int) -> RenderableType:
        """Two tables, one debtor's story, and what to try next; ``store`` is the file that stays."""
        operator = self._operator
        first, last = date_of(operator.zone.day(operator.start)), date_of(operator.zone.day(self._pace.at))
        title = Text(f"\n {first} to {last}, {spaced(len(operator.accounts))} accounts", "bold")
        results = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
        results.add_column(no_wrap=True)
        for name, figures, style in (*self._debts(), *self._engine()):
            results.add_row(f"  {name}", Text(figures, style))
        account, debt = self._story()
        story = [
            Text(f" The story of {account}, one of its debts", "bold"),
            *[self._line(fact, width) for fact in debt],
        ]
        return Group(title, results, self._measures(), *(story if debt else []), *_next(account, store))

    def _debts(self) -> Iterator[tuple[str, str, str]]:
        operator, watch, books = self._operator, self._watch, self._operator.books
        episodes, with_measures, alone = books.days_unpaid(operator.today)
        opened, cured = watch.runs["opened"], watch.runs["cured"]
        owed = f"{self._money(operator.overdue)}, {counted(operator.accounts_overdue, 'account')}"
        yield "Billed", f"{self._money(books.billed)}; owed at the start {self._money(books.opening)}", ""
        yield "Collected", f"{self._money(books.collected - books.reversed)}, {counted(books.payments, 'payment')}", ""
        yield "Overdue at the end", owed, ""
        yield "Debts worked", f"{spaced(opened)}: {cured / max(1, opened):.0%} cured", ""
        if episodes:
            yield "Days to pay, of 30", f"{with_measures:.1f} with the measures, {alone:.1f} without", "bold"
            yield "", f"(the same {spaced(episodes)} debts and luck, in a model)", "dim"
        kept, broken = watch.others["promise.kept"], watch.others["promise.broken"]
        yield "Promises", f"{kept} kept, {broken} broken", ""
        touched = [count for count in watch.contacts.values() if count]
        mean, most = sum(touched) / max(1, len(touched)), max(touched, default=0)
        yield "Contacts", f"{mean:.1f} for each of {spaced(len(touched))} debtors, {most} at most", ""
        wrong = [each.id for each in operator.restricted() if each.overdue(operator.today) == 0]
        said = ", ".join(wrong[:5]) if wrong else "as it must be"
        yield "Restricted, owe nothing", f"{len(wrong)}, {said}", "bold red" if wrong else "green"
        differing = self._differing()
        said = f"{len(differing)} of {spaced(len(operator.accounts))} {', '.join(differing[:5])}"
        yield "Balances not as billed", said, "bold red" if differing else "green"

    def _engine(self) -> Iterator[tuple[str, str, str]]:
        tally, watch = self._watch.node.engine.tally, self._watch
        outcomes = tally.outcomes()
        durable = quantiles([0.0, 0.0, *self._pace.durable_seconds], n=100)
        said = f"{spaced(outcomes.total())} events in, {spaced(watch.others.total())} out in {self._pace.seconds:.0f} s"
        yield "Engine", f"{said}, {counted(tally.failures, 'failure')}", ""
        yield "", f"stored after {1e3 * durable[49]:.1f} ms (median), {1e3 * durable[98]:.1f} ms (99 %)", ""
        yield (
            "",
            f"no effect: {counted(outcomes['duplicate'], 'duplicate')}, {counted(outcomes['stale'], 'stale snapshot')}",
            "",
        )
        late = watch.others["service.restore_overdue"]
        yield "", f"{counted(outcomes['rejected'], 'event')} rejected, {counted(late, 'service')} given back late", ""

    def _measures(self) -> Table:
        table = Table(" Measures", "by plan", "on cure", "by hand", "warning", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for kind in KINDS:
            counts = [self._watch.measures[kind, reason] for reason in REASONS]
            if any(counts):
                table.add_row(Text(f" {kind}", STYLES[kind]), *[or_dot(count) for count in counts])
        return table

    def _story(self) -> tuple[str, list[Record]]:
        """A debt from its run's opening to its cure: of the debtors to whom most has happened, the one told best."""
        stories = sorted(self._watch.stories, key=lambda each: len(self._watch.stories[each]), reverse=True)
        account, best = "ACC-1001", list[Record]()
        for each in stories[:_STORIES_READ]:
            debt: list[Record] = []
            for entry in self._reader.journal(each):
                fact = entry.fact
                if isinstance(fact, _TOLD):
                    debt = [fact] if isinstance(fact, RunOpened) else [*debt, fact]
                is_told = isinstance(fact, MeasureRequested) and fact.reason == "cured" and len(debt) <= _STORY_MAX
                richer = len({type(one) for one in debt}) - len({type(one) for one in best})
                if is_told and (richer > 0 or (richer == 0 and debt[0] is best[0])):
                    account, best = each, debt
        return account, best

    def _line(self, fact: Record, width: int) -> Text:
        what, _, why = told(fact, self._policy)
        match fact:
            case MeasureRequested():
                what, why = f"{fact.measure} ({fact.kind})", ""
            case RunOpened():
                what = f"plan {fact.plan} begins"
                why = f"{self._money(fact.overdue)}, {counted(fact.dpd, 'day')} past due"
        text = Text.assemble((f"  {local(fact.at, self._policy)}  ", "dim"), what)
        room = min(width, WIDTH_MAX) - len(text)
        if why and len(why) + 3 <= room:
            text.append(f" ({why})", "dim")
        text.truncate(min(width, WIDTH_MAX), overflow="ellipsis")
        return text

    def _differing(self) -> list[str]:
        """Accounts whose balance in the engine's store is not the one in billing's books."""
        differing = []
        for account in self._operator.accounts:
            state = self._reader.state(account.id)
            if state is None or thaw(account.id, state).account_balance() != account.balance:
                differing.append(account.id)
        return differing

    def _money(self, minor: int) -> str:
        return money(minor, self._policy)


def _next(account: str, store: Path | None) -> Iterator[Text]:
    of_store = f"DMS_STORE=sqlite:///{store} "
    kept = (
        (f"{of_store}dms profile {account} --why", "its whole story, and what comes next"),
        (f"{of_store}dms store verify", "checks every invariant of what is stored"),
        (f"{of_store}dms run", "goes on from here, with your own events"),
    )
    gone = (
        ("dms demo --keep demo.db", "the same once more; its store stays to look into"),
        ("dms demo --accounts 20000 --seconds 300", "a bigger operator"),
        ("dms run", "the engine itself: POST events to /api/v1/events"),
    )
    yield Text("\n What to try next", "bold")
    for command, does in gone if store is None else kept:
        yield Text.assemble("  ", (command, "cyan"), f"\n      {does}")
