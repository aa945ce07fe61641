"""`dms demo`: a synthetic operator feeds a real engine on an accelerated clock, and the terminal shows what it does."""

import io
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, Final, TextIO

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from adapters.bootstrap import Node, open_node, open_reader
from adapters.journal_words import told
from adapters.logs import open_log
from adapters.settings import Settings, Unusable
from domain.calendar import DAY, date_of, time_of
from domain.forecast import local, money
from domain.snapshot import thaw
from engine.ports import OutgoingEvent, StoreReader
from sim.accelerated import AcceleratedClock, Pace
from sim.operator import SyntheticOperator

_FRAME_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 3.0
_TICKS_MAX: Final = 12
_WIDTH_MAX: Final = 100
_KINDS: Final = ("notify", "call", "restrict", "restore", "task", "terminate", "legal")
_REASONS: Final = ("plan", "cured", "ordered", "prevention")
_STYLES: Final = {
    "notify": "cyan", "call": "yellow", "restrict": "red", "restore": "green", "task": "magenta",
    "terminate": "bold red", "legal": "bold red", "promise.kept": "green", "promise.broken": "yellow",
}  # fmt: skip
_DONE: Final = {"block": "blocked", "cut": "cut off", "limit": "slowed down", "stop": "stopped"}
_TITLE: Final = "bold"
Tick = tuple[str, str, str, Sequence[str]]
"""A decision for the ticker: when, who, the style, and what in ever fewer words."""

_decode: Final = msgspec.json.Decoder().decode


class Watch:
    """What has left the engine, counted by somebody who stands outside and reads the events."""

    def __init__(self, node: Node, operator: SyntheticOperator) -> None:
        self.known: Final[set[str]] = set()
        self.runs: Final[Counter[str]] = Counter()
        self.measures: Final[Counter[tuple[str, str]]] = Counter()
        self.promises: Final[Counter[str]] = Counter()
        self.contacts: Final[Counter[str]] = Counter()
        self.tasks: Final[dict[str, str]] = {}
        self.tasks_done = 0
        self.restores_late = 0
        self.ticks: Final[deque[Tick]] = deque(maxlen=_TICKS_MAX)
        self.overdue_by_day: Final[list[int]] = []
        self.stories: Final[dict[str, set[str]]] = {}
        self._node: Final = node
        self._operator: Final = operator
        self._told: Final[Counter[str]] = Counter()
        self._fresh: Final[list[tuple[str, Tick]]] = []

    @property
    def runs_open(self) -> int:
        """Plan runs that are open."""
        return 2 * self.runs["opened"] - self.runs.total()

    def see(self, events: Sequence[OutgoingEvent]) -> None:
        """Counts what was sent."""
        for outgoing in events:
            event = _decode(outgoing.body)
            account, data = event.get("subject", ""), event["data"]
            match event["type"].removeprefix("dms.").removesuffix(".v1"):
                case "measure.requested":
                    self._see_measure(outgoing.at, account, data)
                case "segment.changed":
                    self.known.add(account)
                case "run.opened":
                    self.runs["opened"] += 1
                case "run.closed":
                    self.runs[data["outcome"]] += 1
                case "promise.kept" | "promise.broken" as kept:
                    self.promises[kept] += 1
                    self.stories.setdefault(account, set()).add(kept)
                    words = "promise kept" if kept == "promise.kept" else "promise broken: the plan goes on"
                    self._tell(outgoing.at, account, kept, [words], kept)
                case "task.opened":
                    self.tasks[data["task_id"]] = data["why"]
                    if data["why"] == "approval":
                        words = f"a head is asked: {_plain(data['measure'])}?"
                        self._tell(outgoing.at, account, "task", [words], "approval")
                case "task.closed":
                    self.tasks_done += self.tasks.pop(data["task_id"], None) is not None
                case "service.restore_overdue":
                    self.restores_late += 1

    def look(self, pace: Pace) -> None:
        """Takes the day's end into the picture."""
        day = (pace.at - self._operator.start) // DAY
        while len(self.overdue_by_day) <= day:
            self.overdue_by_day.append(0)
        self.overdue_by_day[day] = self._operator.overdue

    def tick(self) -> None:
        """Lets one of the new decisions into the ticker, the kind that was shown least: all would fly past unread."""
        if self._fresh:
            kind, tick = min(self._fresh, key=lambda each: self._told[each[0]])
            self._told[kind] += 1
            self.ticks.append(tick)
            self._fresh.clear()

    def _see_measure(self, at: int, account: str, data: dict[str, Any]) -> None:
        kind, reason = data["kind"], data["reason"]
        self.measures[kind, reason] += 1
        self.stories.setdefault(account, set()).add(f"{kind} {reason}")
        if reason == "plan" and kind in ("notify", "call"):
            self.contacts[account] += 1
        words, days = _said(data), data["days_past_due"]
        said = [words]
        if reason == "plan":
            owed = money(data["overdue"], self._node.engine.policy)
            late = f"{words}, {days} day{'s' * (days != 1)} past due"
            said = [f"{late}, {owed} overdue", f"{late}, {owed}", late, words]
        self._tell(at, account, kind, said, f"{kind} {data['measure']} {reason}")

    def _tell(self, at: int, account: str, style: str, said: Sequence[str], kind: str) -> None:
        clock = time_of(self._operator.zone.time_of_day(at))
        self._fresh.append((kind, (f" {clock}  ", f"{account}: ", _STYLES[style], said)))


def _plain(name: str) -> str:
    return name.replace("-", " ")


def _said(data: dict[str, Any]) -> str:
    """A command in plain words: ``internet blocked``, ``SMS: internet will be blocked``."""
    verb, _, service = data["measure"].partition("-")
    match data["kind"]:
        case "notify":
            channel = data["channel"] or "message"
            return f"{'SMS' if channel == 'sms' else channel}: {_plain(data['template'] or data['measure'])}"
        case "call":
            return f"automatic call: {_plain(data['template'] or data['measure'])}"
        case "restrict":
            return f"{_plain(service)} {_DONE[verb]}" if verb in _DONE else _plain(data["measure"])
        case "restore":
            return f"{_plain(service)} given back, {'paid up' if data['reason'] == 'cured' else 'by a manager'}"
        case "task":
            return f"work for a manager: {_plain(data['measure'])}"
        case "terminate":
            return "contract terminated, a head approved"
        case _:
            return _plain(data["measure"])


class Screen:
    """The live picture: 80 columns are enough, and 24 rows."""

    def __init__(
        self, console: Console, node: Node, operator: SyntheticOperator, watch: Watch, pace: Pace, days: int
    ) -> None:
        self._console: Final = console
        self._node: Final = node
        self._operator: Final = operator
        self._watch: Final = watch
        self._pace: Final = pace
        self._days: Final = days
        self._seen: Final[deque[tuple[float, int]]] = deque([(time.monotonic(), 0)], maxlen=20)

    def picture(self) -> RenderableType:
        """Everything, as it stands now."""
        width = min(self._console.width, _WIDTH_MAX)
        rows = [*self._header(width), Text(), *self._standing(), self._history(width), Text(), *self._work(), Text()]
        rows.append(Text(" What it decides (a few of all)", _TITLE))
        room = max(3, min(_TICKS_MAX, self._console.height - len(rows) - 2))
        ticks = [_fitting(each, width) for each in list(self._watch.ticks)[-room:]]
        rows += ticks + [Text()] * (room - len(ticks))
        url = f"  {self._node.http.url}/api/v1/profiles/ACC-1001" if self._node.http is not None else ""
        rows.append(Text(f" Ctrl-C ends it with a summary{url}", "dim"))
        for row in rows:
            row.truncate(width, overflow="ellipsis")
        return Group(*rows)

    def line(self) -> str:
        """The same in one line, for where there is no terminal."""
        operator, watch = self._operator, self._watch
        return (
            f"{_day_of(operator, self._pace.at)}  {operator.accounts_overdue} overdue ({_whole(operator.overdue)})"
            f"  {watch.runs_open} in a run  {len(operator.restricted())} restricted"
            f"  collected {_whole(operator.books.collected)}  {watch.measures.total()} measures  {self._rate()} events/s"
        )

    def _rate(self) -> str:
        self._seen.append((time.monotonic(), self._node.engine.tally.outcomes().total()))
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return f"{(after - before) / max(now - then, 0.001):,.0f}".replace(",", " ")

    def _header(self, width: int) -> list[Text]:
        operator = self._operator
        day = (self._pace.at - operator.start) // DAY
        title = f" dms demo: a synthetic operator with {len(operator.accounts)} accounts"
        title += f"{_day_of(operator, self._pace.at):>{max(1, width - len(title) - 1)}} "
        said = f" day {day} of {self._days} "
        done = (width - len(said) - 2) * day // self._days
        bar = Text.assemble((" " + "━" * done, "green"), ("━" * (width - len(said) - 2 - done), "grey30"), said)
        return [Text(title, "bold white on blue"), bar]

    def _standing(self) -> list[Text]:
        operator, watch, books = self._operator, self._watch, self._operator.books
        tasks = Counter(watch.tasks.values())
        kept, broken = watch.promises["promise.kept"], watch.promises["promise.broken"]
        rows = [_row(_TITLE, (" Accounts", -24), (f"Money, {self._node.engine.policy.currency}", -29), ("People", -20))]
        for style, *cells in (
            ("", "known", _count(len(watch.known)), "billed", _whole(books.billed), "promises kept", _count(kept)),
            ("", "overdue", _count(operator.accounts_overdue),
             "collected", _whole(books.collected), "promises broken", _count(broken)),
            ("", "in a run", _count(watch.runs_open),
             "owed", _whole(books.outstanding()), "work waiting", _count(tasks.total() - tasks["approval"])),
            ("", "restricted", _count(len(operator.restricted())),
             "overdue", _whole(operator.overdue), "approvals waiting", _count(tasks["approval"])),
        ):  # fmt: skip
            widths = (-11, 8, -14, 11, -21, 6)
            gaps = (" ", "", "     ", "", "    ", "")
            rows.append(
                _row(style, *[(gap + cell, width) for gap, cell, width in zip(gaps, cells, widths, strict=True)])
            )
        return rows

    def _history(self, width: int) -> Text:
        room = width - 18
        days = self._watch.overdue_by_day
        shown = [days[n * len(days) // room] for n in range(room)] if len(days) > room else days
        top = max(shown, default=0) or 1
        marks = "▁▂▃▄▅▆▇█" if self._console.encoding.lower().startswith("utf") else "_.-:=+*#"
        return Text.assemble((" overdue by day ", "dim"), ("".join([marks[7 * each // top] for each in shown]), "red"))

    def _work(self) -> list[Text]:
        tally, watch = self._node.engine.tally, self._watch
        outcomes = tally.outcomes()
        engine = (
            ("Engine", ""),
            ("events", _count(outcomes.total())),
            ("events/s", self._rate()),
            ("batches", _count(tally.batches)),
            ("duplicates", _count(outcomes["duplicate"])),
            ("rejected", _count(outcomes["rejected"])),
            ("failures", _count(tally.failures)),
            ("behind", f"{max(0.0, -self._pace.seconds_until_next()):.1f} s"),
        )
        lines = [("Measures", "by plan", "on cure", "by hand", "warning")]
        lines += [(kind, *[_count(watch.measures[kind, reason]) for reason in _REASONS]) for kind in _KINDS]
        rows = []
        for (name, *counts), (label, figure) in zip(lines, engine, strict=True):
            cells = [(f" {name}", -12), *[(count, 10) for count in counts], (f"    {label}", -18), (figure, 9)]
            rows.append(_row(_TITLE if name == "Measures" else "", *cells))
            rows[-1].stylize(_STYLES.get(name, ""), 1, 1 + len(name))
        return rows


def _row(style: str, *cells: tuple[str, int]) -> Text:
    """Cells side by side; a width below zero means to the left."""
    return Text("".join([f"{text:<{-width}}" if width < 0 else f"{text:>{width}}" for text, width in cells]), style)


def _fitting(tick: Tick, width: int) -> Text:
    """A decision in the most words that fit."""
    head, account, style, said = tick
    room = width - len(head) - len(account)
    words = next((each for each in said if len(each) <= room), said[-1])
    return Text.assemble((head, "dim"), (account, "bold"), (words, style))


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ") if number else "·"


def _whole(minor: int) -> str:
    """Money without its minor units, where every digit moves anyway."""
    return f"{minor // 100:,}".replace(",", " ")


def _day_of(operator: SyntheticOperator, at: int) -> str:
    day = operator.zone.day(at)
    return f"{date.fromordinal(day):%a} {date_of(day)} {time_of(operator.zone.time_of_day(at))}"


def run_demo(
    accounts: int = 3_000,
    days: int = 120,
    seconds: float = 75.0,
    seed: int = 1,
    http: str = "127.0.0.1:8080",
    keep: Path | None = None,
    out: TextIO | None = None,
) -> int:
    """Shows ``days`` of a synthetic operator in about so many ``seconds``, then a summary; 0, also at Ctrl-C.

    The simulated time ends today. ``http`` is where the engine answers meanwhile (another port where that one is taken,
    empty for nowhere); ``keep`` is the file in which the store stays, which must not be there yet.
    """
    if keep is not None and keep.exists():
        raise Unusable(f"{keep}: is there already (choose another file, or remove it)")
    console = Console(file=out if out is not None else sys.stdout, highlight=False)
    with tempfile.TemporaryDirectory(prefix="dms-demo-") as folder:
        store = keep if keep is not None else Path(folder) / "demo.db"
        console.print(f"A synthetic operator with {accounts:,} accounts begins its books ...", style="dim")
        zone_today = datetime.now(UTC).date()
        operator = SyntheticOperator(accounts, seed, zone_today - timedelta(days=days))
        clock = AcceleratedClock(operator.start, days * 86_400 / seconds)
        sent: deque[OutgoingEvent] = deque()
        said = io.StringIO()
        node = _open(Settings(store=f"sqlite:///{store.absolute()}", http=http), sent, clock, said)
        began = time.monotonic()
        with node:
            watch = Watch(node, operator)
            pace = Pace(clock, node.broker, sent, operator, operator.start, lambda: node.service.is_ready)
            screen = Screen(console, node, operator, watch, pace, days)
            node.start()
            if not node.service.wait_until_caught_up(30):
                raise Unusable("the engine does not begin: " + (said.getvalue().strip() or "it says nothing"))
            with _interruptible() as stopping:
                _play(console, screen, watch, pace, operator.start + days * DAY, stopping)
        for line in said.getvalue().splitlines():
            console.print(line, style="red")
        with open_reader(node.settings) as reader:
            summary = Summary(node, operator, watch, pace, reader, time.monotonic() - began)
            console.print(summary.picture(keep, min(console.width, _WIDTH_MAX)))
    return 0


def _open(settings: Settings, sent: "deque[OutgoingEvent]", clock: AcceleratedClock, said: TextIO) -> Node:
    log = open_log("WARN", stream=said)
    try:
        return open_node(settings, log=log, sink=sent.extend, clock=clock)
    except Unusable:
        if not settings.http:
            raise
        # Somebody listens there already, perhaps another demo: any other port will do.
        return open_node(replace(settings, http="127.0.0.1:0"), log=log, sink=sent.extend, clock=clock)


def _play(console: Console, screen: Screen, watch: Watch, pace: Pace, end: int, stopping: Event) -> None:
    every = _FRAME_SECONDS if console.is_terminal else _LINE_SECONDS
    live = Live(console=console, screen=True, auto_refresh=False) if console.is_terminal else None
    frame_at = time.monotonic()
    frames = 0
    if live is not None:
        live.start()
    try:
        while pace.at < end and not stopping.is_set():
            if time.monotonic() >= frame_at:
                frame_at = time.monotonic() + every
                frames += 1
                if live is None:
                    console.print(screen.line(), soft_wrap=True)
                    continue
                if frames % 2:
                    watch.tick()
                live.update(screen.picture(), refresh=True)
            wait = pace.seconds_until_next()
            if wait > 0:
                stopping.wait(min(wait, max(0.0, frame_at - time.monotonic())))
            else:
                watch.see(pace.step())
                watch.look(pace)
    finally:
        if live is not None:
            live.stop()


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Ctrl-C ends at the next step, which is a matter of milliseconds; a second one at once."""
    stopping = Event()
    if current_thread() is not main_thread():
        yield stopping
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)


class Summary:
    """What it came to. The engine is judged by billing's books and by what it has sent, and by its own store."""

    def __init__(
        self, node: Node, operator: SyntheticOperator, watch: Watch, pace: Pace, reader: StoreReader, seconds: float
    ) -> None:
        self._node: Final = node
        self._operator: Final = operator
        self._watch: Final = watch
        self._pace: Final = pace
        self._reader: Final = reader
        self._seconds: Final = seconds

    def picture(self, keep: Path | None, width: int) -> RenderableType:
        """Tables, one debtor's story, and what to try next."""
        policy = self._node.engine.policy
        first, last = date_of(policy.zone.day(self._operator.start)), date_of(policy.zone.day(self._pace.at))
        title = f"{first} to {last}, {len(self._operator.accounts):,} accounts, in {self._seconds:.0f} seconds"
        account = max(self._watch.stories, key=lambda each: len(self._watch.stories[each]), default="ACC-1001")
        parts: list[RenderableType] = [Text(f"\n{title}", "bold"), self._results(), self._measures()]
        return Group(*parts, *self._story(account, width), *_next(account, keep))

    def _results(self) -> Table:
        books, watch, operator = self._operator.books, self._watch, self._operator
        outcomes = self._node.engine.tally.outcomes()
        episodes, with_measures, alone = books.days_unpaid(operator.today)
        opened = watch.runs["opened"]
        debtors = len(watch.contacts)
        wrong = [each.id for each in operator.restricted() if each.overdue(operator.today) == 0]
        differing = self._differing()
        table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        cured = f"{watch.runs['cured']:,} of {opened:,}: {watch.runs['cured'] / max(1, opened):.0%} cured"
        after = f"{with_measures:.1f} with the measures, {alone:.1f} if the same customers had been left alone"
        durable = quantiles(self._pace.durable_seconds or [0.0, 0.0], n=100)
        for name, figure, style in (
            ("Billed", f"{self._money(books.billed)}, on top of {self._money(books.opening)} owed at the start", ""),
            ("Collected", f"{self._money(books.collected - books.reversed)} in {books.payments:,} payments", ""),
            ("Overdue at the end", f"{self._money(operator.overdue)}, {operator.accounts_overdue:,} accounts", ""),
            ("Debts worked", f"{cured}, {watch.runs['terminated']} contracts ended", ""),
            ("Days to pay (of 30)", f"{after} ({episodes:,} debts, by the demo's model of customers)", "bold"),
            ("Promises", f"{watch.promises['promise.kept']} kept, {watch.promises['promise.broken']} broken", ""),
            ("Contacts", (f"{watch.contacts.total() / max(1, debtors):.1f} for each of {debtors:,} debtors,"
             f" {max(watch.contacts.values(), default=0)} at most; work for people: {watch.tasks_done}"), ""),
            ("Restricted, owe nothing", f"{len(wrong)} {'as it must be' if not wrong else ', '.join(wrong[:5])}",
             "red" if wrong else "green"),
            ("Balances not as billed", f"{len(differing)} of {len(operator.accounts):,} {', '.join(differing[:5])}",
             "red" if differing else "green"),
            ("Engine", (f"{sum(outcomes.values()):,} events ({sum(outcomes.values()) / self._seconds:,.0f}/s),"
             f" {watch.measures.total():,} commands, durable after {1e3 * durable[49]:.1f} ms (median;"
             f" {1e3 * durable[98]:.1f} the 99th percentile)"), ""),
            ("", (f"{outcomes['duplicate']} duplicates and {outcomes['stale']} stale snapshots without effect,"
             f" {outcomes['rejected']} rejected, {self._node.engine.tally.failures} failures,"
             f" {watch.restores_late} services given back late"), ""),
        ):  # fmt: skip
            table.add_row(Text(name), Text(figure, style))
        return table

    def _measures(self) -> Table:
        table = Table("Measures", "by plan", "after paying", "by hand", "warnings", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for kind in _KINDS:
            counts = [self._watch.measures[kind, reason] for reason in _REASONS]
            if any(counts):
                table.add_row(Text(kind, _STYLES[kind]), *[_count(count) for count in counts])
        return table

    def _story(self, account: str, width: int) -> list[RenderableType]:
        """The last facts of a debtor to whom much has happened, as `dms profile` tells them."""
        policy = self._node.engine.policy
        facts = [entry.fact for entry in self._reader.journal(account)]
        lines = [Text(f"The story of {account} (its last facts)", "bold")]
        for fact in facts[-12:]:
            what = told(fact, policy)
            why = f" ({what.why})" if what.why else ""
            lines.append(Text(f"  {local(fact.at, policy)}  {what.what}{why}"))
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return [*lines]

    def _differing(self) -> list[str]:
        """Accounts whose balance in the engine's store is not the one in billing's books."""
        differing = []
        for account in self._operator.accounts:
            state = self._reader.state(account.id)
            if state is None or thaw(account.id, state).account_balance() != account.balance:
                differing.append(account.id)
        return differing

    def _money(self, minor: int) -> str:
        return money(minor, self._node.engine.policy)


def _next(account: str, keep: Path | None) -> list[RenderableType]:
    if keep is None:
        said = [
            ("dms demo --keep demo.db", "the same, and the store stays to look into"),
            ("dms demo --accounts 10000 --days 365 --seconds 300", "more of it"),
            ("dms run", "the engine for your own events: POST them to /api/v1/events"),
        ]
    else:
        store = f"DMS_STORE=sqlite:///{keep}" if keep.is_absolute() else f"DMS_STORE=sqlite:///{keep.absolute()}"
        said = [
            (f"{store} dms profile {account} --why", "its whole story, and what comes next"),
            (f"{store} dms store verify", "checks every invariant of the store"),
            (f"{store} dms run", "goes on from here with your own events"),
        ]
    lines: list[RenderableType] = [Text("\nWhat to try next", "bold")]
    for command, does in said:
        lines.append(Text.assemble("  ", (command, "cyan"), f"\n      {does}"))
    return lines
