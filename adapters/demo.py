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

from msgspec.json import Decoder
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
from domain.events import MeasureRequested, PromiseBroken, PromiseKept, RunClosed, RunOpened, TaskClosed
from domain.forecast import local, money
from domain.messages import ContactMade, MeasureFailed, PaymentReceived, PromiseMade, RestrictionLifted
from domain.record import Record
from domain.snapshot import thaw
from engine.ports import OutgoingEvent, StoreReader
from sim.accelerated import AcceleratedClock, Pace
from sim.operator import SyntheticOperator

_FRAME_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 3.0
_TICKS_MAX: Final = 12
_STORY_MAX: Final = 18
_STORIES_READ: Final = 40
_WIDTH_MAX: Final = 100
_KINDS: Final = ("notify", "call", "restrict", "restore", "task", "terminate", "legal")
_REASONS: Final = ("plan", "cured", "ordered", "prevention")
_STYLES: Final = {
    "notify": "cyan", "call": "yellow", "restrict": "red", "restore": "green", "task": "magenta",
    "terminate": "bold red", "legal": "bold red", "promise.kept": "green", "promise.broken": "yellow",
}  # fmt: skip
_DONE: Final = {"block": "blocked", "cut": "cut off", "limit": "slowed down", "stop": "stopped"}
_TOLD: Final = (
    RunOpened, RunClosed, MeasureRequested, PaymentReceived, PromiseMade, PromiseKept, PromiseBroken, ContactMade,
    RestrictionLifted, TaskClosed, MeasureFailed,
)  # fmt: skip
_decode: Final = Decoder().decode

Tick = tuple[str, str, str, Sequence[str]]
"""A decision for the ticker: when, who, its style, and what in ever fewer words."""


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
    empty for nowhere); ``keep`` is the file in which the store stays. Raises `Unusable` where that is there already.
    """
    if keep is not None and keep.exists():
        raise Unusable(f"{keep}: is there already (choose another file, or remove it)")
    stream = out if out is not None else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a bar that a terminal cannot show is a question mark, no failure
    console = Console(file=stream, highlight=False)
    console.print(f"A synthetic operator with {_spaced(accounts)} accounts opens its books ...", style="dim")
    with tempfile.TemporaryDirectory(prefix="dms-demo-") as folder:
        store = keep.absolute() if keep is not None else Path(folder) / "demo.db"
        operator = SyntheticOperator(accounts, seed, datetime.now(UTC).date() - timedelta(days=days))
        clock = AcceleratedClock(operator.start, days * 86_400 / seconds)
        sent: deque[OutgoingEvent] = deque()
        said = io.StringIO()
        try:
            with _open(Settings(store=f"sqlite:///{store}", http=http), sent, clock, said) as node:
                watch = Watch(operator, node)
                pace = Pace(clock, node.broker, sent, operator, operator.start, lambda: node.service.is_ready)
                node.start()
                node.service.wait_until_caught_up(30)
                with _interruptible() as stopping:
                    _play(Screen(console, watch, pace, days), stopping)
        finally:
            for line in said.getvalue().splitlines():
                console.print(line, style="red", soft_wrap=True)
        with open_reader(node.settings) as reader:
            console.print(Summary(watch, pace, reader).picture(store if keep is not None else None, console.width))
    return 0


def _open(settings: Settings, sent: deque[OutgoingEvent], clock: AcceleratedClock, said: TextIO) -> Node:
    log = open_log("WARN", stream=said)
    try:
        return open_node(settings, log=log, sink=sent.extend, clock=clock)
    except Unusable:
        if not settings.http:
            raise
        # Somebody listens there already, perhaps another demo: any other port will do.
        return open_node(replace(settings, http="127.0.0.1:0"), log=log, sink=sent.extend, clock=clock)


def _play(screen: "Screen", stopping: Event) -> None:
    """Steps when their time has come, and a frame now and then, until the days are over or somebody has had enough."""
    frame_at = 0.0
    with screen:
        while not screen.is_over and not stopping.is_set():
            if time.monotonic() >= frame_at:
                frame_at = time.monotonic() + screen.every_seconds
                screen.show()
            wait = screen.pace.seconds_until_next()
            if wait > 0:
                stopping.wait(min(wait, max(0.0, frame_at - time.monotonic())))
            else:
                screen.watch.see(screen.pace.step())


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Ctrl-C ends after the step, which is a matter of milliseconds; a second one at once."""
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


class Watch:
    """What has left the engine, counted by somebody who stands outside and reads the events."""

    def __init__(self, operator: SyntheticOperator, node: Node) -> None:
        self.operator: Final = operator
        self.node: Final = node
        self.known: Final[set[str]] = set()
        self.runs: Final[Counter[str]] = Counter()
        self.measures: Final[Counter[tuple[str, str]]] = Counter()
        self.contacts: Final[Counter[str]] = Counter()
        self.others: Final[Counter[str]] = Counter()
        self.tasks: Final[dict[str, str]] = {}
        self.ticks: Final[deque[Tick]] = deque(maxlen=_TICKS_MAX)
        self.overdue_by_day: Final[list[int]] = []
        self.stories: Final[dict[str, set[str]]] = {}
        self._shown: Final[Counter[str]] = Counter()
        self._fresh: Final[list[tuple[str, Tick]]] = []

    @property
    def runs_open(self) -> int:
        """Plan runs that are open."""
        return 2 * self.runs["opened"] - self.runs.total()

    def see(self, events: Sequence[OutgoingEvent]) -> None:
        """Counts what was sent in a step, and looks at billing's books after it."""
        for outgoing in events:
            event = _decode(outgoing.body)
            name = event["type"].removeprefix("dms.").removesuffix(".v1")
            self._see(outgoing.at, event.get("subject", ""), name, event["data"])
        day = self.operator.today - self.operator.zone.day(self.operator.start)
        self.overdue_by_day.extend([0] * (day + 1 - len(self.overdue_by_day)))
        self.overdue_by_day[day] = self.operator.overdue

    def tick(self) -> None:
        """Lets one of the new decisions into the ticker, the kind that was shown least: all would fly past unread."""
        if self._fresh:
            kind, tick = min(self._fresh, key=lambda each: self._shown[each[0]])
            self._shown[kind] += 1
            self.ticks.append(tick)
            self._fresh.clear()

    def _see(self, at: int, account: str, name: str, data: dict[str, Any]) -> None:
        self.others[name] += 1
        match name:
            case "measure.requested":
                self._see_measure(at, account, data)
            case "segment.changed":
                self.known.add(account)
            case "run.opened":
                self.runs["opened"] += 1
            case "run.closed":
                self.runs[data["outcome"]] += 1
            case "promise.kept":
                self._tell(at, account, name, ["promise kept"], name)
            case "promise.broken":
                self._tell(at, account, name, ["promise broken: the plan goes on"], name)
            case "task.opened":
                self.tasks[data["task_id"]] = data["why"]
                if data["why"] == "approval":
                    self._tell(at, account, "task", [f"a head is asked: {_plain(data['measure'])}?"], "approval")
            case "task.closed":
                self.tasks.pop(data["task_id"], None)

    def _see_measure(self, at: int, account: str, data: dict[str, Any]) -> None:
        kind, reason, days = data["kind"], data["reason"], data["days_past_due"]
        self.measures[kind, reason] += 1
        words = _in_words(data)
        said = [words]
        if reason == "plan":
            self.contacts[account] += kind in ("notify", "call")
            owed = money(data["overdue"], self.node.engine.policy)
            late = f"{words}, {days} day{'s' * (days != 1)} past due"
            said = [f"{late}, {owed} overdue", f"{late}, {owed}", late, words]
        self._tell(at, account, kind, said, f"{kind} {data['measure']} {reason}")

    def _tell(self, at: int, account: str, style: str, said: Sequence[str], kind: str) -> None:
        clock = time_of(self.operator.zone.time_of_day(at))
        self.stories.setdefault(account, set()).add(kind)
        self._fresh.append((kind, (f" {clock}  ", f"{account}: ", _STYLES[style], said)))


class Screen:
    """The live picture: 80 columns are enough, and 24 rows. Without a terminal, a line now and then."""

    def __init__(self, console: Console, watch: Watch, pace: Pace, days: int) -> None:
        self.watch: Final = watch
        self.pace: Final = pace
        self.every_seconds: Final = _FRAME_SECONDS if console.is_terminal else _LINE_SECONDS
        self._console: Final = console
        self._days: Final = days
        self._live: Final = Live(console=console, screen=True, auto_refresh=False) if console.is_terminal else None
        self._rates: Final[deque[tuple[float, int]]] = deque([(time.monotonic(), 0)], maxlen=12)
        self._frames = 0

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def is_over(self) -> bool:
        """Whether all days have passed."""
        return self.pace.at >= self.watch.operator.start + self._days * DAY

    def show(self) -> None:
        """Draws everything as it stands now."""
        self._rates.append((time.monotonic(), self.watch.node.engine.tally.outcomes().total()))
        if self._live is None:
            self._console.print(self._line(), soft_wrap=True)
            return
        self._frames += 1
        if self._frames % 2:
            self.watch.tick()
        self._live.update(self._picture(), refresh=True)

    def _line(self) -> str:
        operator, watch = self.watch.operator, self.watch
        return (
            f"{_moment(operator, self.pace.at)}  {operator.accounts_overdue} overdue ({_whole(operator.overdue)})"
            f"  {watch.runs_open} in a run  {len(operator.restricted())} restricted"
            f"  {_whole(operator.books.collected)} collected  {watch.measures.total()} measures"
            f"  {self._rate()} events/s"
        )

    def _rate(self) -> str:
        (then, before), (now, after) = self._rates[0], self._rates[-1]
        return _spaced(int((after - before) / max(now - then, 0.001)))

    def _picture(self) -> RenderableType:
        width = min(self._console.width, _WIDTH_MAX)
        rows = [*self._header(width), Text(), *self._standing(), self._history(width), Text(), *self._work(), Text()]
        rows.append(Text(" What it decides (a few of all)", "bold"))
        room = max(3, min(_TICKS_MAX, self._console.height - len(rows) - 1))
        ticks = [_fitting(each, width) for each in list(self.watch.ticks)[-room:]]
        http = self.watch.node.http
        rows += [*ticks, *[Text()] * (room - len(ticks)), Text(" Ctrl-C ends it with a summary", "dim")]
        rows[-1].append(f"   {http.url}/api/v1/profiles/ACC-1001" if http is not None else "")
        for row in rows:
            row.truncate(width, overflow="ellipsis")
        return Group(*rows)

    def _header(self, width: int) -> list[Text]:
        operator = self.watch.operator
        day = (self.pace.at - operator.start) // DAY
        title = f" dms demo: a synthetic operator with {_spaced(len(operator.accounts))} accounts"
        title += f"{_moment(operator, self.pace.at):>{max(1, width - len(title) - 1)}} "
        said = f" day {day} of {self._days} "
        room = width - len(said) - 2
        done = room * day // self._days
        bar = Text.assemble((" " + "━" * done, "green"), ("━" * (room - done), "bright_black"), said)
        return [Text(title, "bold white on blue"), bar]

    def _standing(self) -> list[Text]:
        operator, watch, books = self.watch.operator, self.watch, self.watch.operator.books
        tasks = Counter(watch.tasks.values())
        work = tasks.total() - tasks["approval"]
        lines = (
            ("known", len(watch.known), "billed", books.billed, "promises kept", watch.others["promise.kept"]),
            ("overdue", operator.accounts_overdue, "collected", books.collected - books.reversed,
             "promises broken", watch.others["promise.broken"]),
            ("in a run", watch.runs_open, "owed", books.outstanding(), "work waiting", work),
            ("restricted", len(operator.restricted()), "overdue", operator.overdue,
             "approvals waiting", tasks["approval"]),
        )  # fmt: skip
        currency = watch.node.engine.policy.currency
        rows = [Text(f" {'Accounts':<22}{f'Money, {currency}':<28}People", "bold")]
        for who, accounts, what, amount, work_kind, count in lines:
            left = f" {who:<11}{_count(accounts):>7}    {what:<10}{_whole(amount):>13}"
            rows.append(Text(f"{left}     {work_kind:<18}{_count(count):>6}"))
        return rows

    def _history(self, width: int) -> Text:
        room = width - 18
        days = self.watch.overdue_by_day
        shown = [days[n * len(days) // room] for n in range(room)] if len(days) > room else days
        top = max(shown, default=0) or 1
        marks = "▁▂▃▄▅▆▇█" if self._console.encoding.lower().startswith("utf") else "_.-:=+*#"
        return Text.assemble((" overdue by day ", "dim"), ("".join([marks[7 * each // top] for each in shown]), "red"))

    def _work(self) -> list[Text]:
        tally, measures = self.watch.node.engine.tally, self.watch.measures
        outcomes = tally.outcomes()
        engine = (
            ("events", _count(outcomes.total())),
            ("events/s", self._rate()),
            ("batches", _count(tally.batches)),
            ("duplicates", _count(outcomes["duplicate"])),
            ("rejected", _count(outcomes["rejected"])),
            ("failures", _count(tally.failures)),
            ("behind", f"{max(0.0, -self.pace.seconds_until_next()):.1f} s"),
        )
        rows = [
            Text(f" {'Measures':<11}{'by plan':>10}{'on cure':>10}{'by hand':>10}{'warning':>10}    Engine", "bold")
        ]
        for kind, (label, figure) in zip(_KINDS, engine, strict=True):
            counts = "".join([f"{_count(measures[kind, reason]):>10}" for reason in _REASONS])
            rows.append(Text.assemble((f" {kind:<11}", _STYLES[kind]), counts, f"    {label:<11}{figure:>10}"))
        return rows


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
        title = Text(f"\n {first} to {last}, {_spaced(len(operator.accounts))} accounts", "bold")
        results = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        results.add_column(no_wrap=True)
        for name, figures, style in (*self._debts(), *self._engine()):
            results.add_row(f" {name}", Text(figures, style))
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
        owed = f"{self._money(operator.overdue)}, {_spaced(operator.accounts_overdue)} accounts"
        yield "Billed", f"{self._money(books.billed)}; owed at the start {self._money(books.opening)}", ""
        yield "Collected", f"{self._money(books.collected - books.reversed)}, {_spaced(books.payments)} payments", ""
        yield "Overdue at the end", owed, ""
        yield "Debts worked", f"{_spaced(opened)}: {cured / max(1, opened):.0%} cured", ""
        if episodes:
            yield "Days to pay, of 30", f"{with_measures:.1f} with the measures, {alone:.1f} without", "bold"
            yield "", f"(the same {_spaced(episodes)} debts and luck, in a model)", "dim"
        kept, broken = watch.others["promise.kept"], watch.others["promise.broken"]
        yield "Promises", f"{kept} kept, {broken} broken", ""
        touched = [count for count in watch.contacts.values() if count]
        mean, most = sum(touched) / max(1, len(touched)), max(touched, default=0)
        yield "Contacts", f"{mean:.1f} for each of {_spaced(len(touched))} debtors, {most} at most", ""
        wrong = [each.id for each in operator.restricted() if each.overdue(operator.today) == 0]
        said = ", ".join(wrong[:5]) if wrong else "as it must be"
        yield "Restricted, owe nothing", f"{len(wrong)}, {said}", "bold red" if wrong else "green"
        differing = self._differing()
        said = f"{len(differing)} of {_spaced(len(operator.accounts))} {', '.join(differing[:5])}"
        yield "Balances not as billed", said, "bold red" if differing else "green"

    def _engine(self) -> Iterator[tuple[str, str, str]]:
        tally, watch = self._watch.node.engine.tally, self._watch
        outcomes = tally.outcomes()
        durable = quantiles([0.0, 0.0, *self._pace.durable_seconds], n=100)
        said = (
            f"{_spaced(outcomes.total())} events in, {_spaced(watch.others.total())} out in {self._pace.seconds:.0f} s"
        )
        yield "Engine", f"{said}, {tally.failures} failures", ""
        yield "", f"stored after {1e3 * durable[49]:.1f} ms (median), {1e3 * durable[98]:.1f} ms (99 %)", ""
        yield "", f"no effect: {outcomes['duplicate']} duplicates, {outcomes['stale']} stale snapshots", ""
        late = watch.others["service.restore_overdue"]
        yield "", f"{outcomes['rejected']} events rejected, {late} services given back late", ""

    def _measures(self) -> Table:
        table = Table(" Measures", "by plan", "on cure", "by hand", "warning", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for kind in _KINDS:
            counts = [self._watch.measures[kind, reason] for reason in _REASONS]
            if any(counts):
                table.add_row(Text(f" {kind}", _STYLES[kind]), *[_count(count) for count in counts])
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
        text = Text.assemble((f"  {local(fact.at, self._policy)}  ", "dim"), what, (f" ({why})" if why else "", "dim"))
        text.truncate(min(width, _WIDTH_MAX), overflow="ellipsis")
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


def _in_words(command: dict[str, Any]) -> str:
    """A command in plain words: ``internet blocked``, ``SMS: internet will be blocked``."""
    verb, _, service = command["measure"].partition("-")
    said = _plain(command["template"] or command["measure"])
    match command["kind"]:
        case "notify":
            return f"{'SMS' if command['channel'] == 'sms' else command['channel'] or 'message'}: {said}"
        case "call":
            return f"automatic call: {said}"
        case "restrict" if verb in _DONE:
            return f"{_plain(service)} {_DONE[verb]}"
        case "restore":
            return f"{_plain(service)} given back, {'paid up' if command['reason'] == 'cured' else 'by a manager'}"
        case "task":
            return f"work for a manager: {said}"
        case "terminate":
            return "contract terminated, a head approved"
        case _:
            return said


def _fitting(tick: Tick, width: int) -> Text:
    """A decision in the most words that fit."""
    clock, account, style, said = tick
    room = width - len(clock) - len(account)
    words = next((each for each in said if len(each) <= room), said[-1])
    return Text.assemble((clock, "dim"), (account, "bold"), (words, style))


def _plain(name: str) -> str:
    return name.replace("-", " ")


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _count(number: int) -> str:
    return _spaced(number) if number else "·"


def _whole(minor: int) -> str:
    """Money without its minor units, where every digit moves anyway."""
    return _spaced(minor // 100)


def _moment(operator: SyntheticOperator, at: int) -> str:
    day = operator.zone.day(at)
    return f"{date.fromordinal(day):%a} {date_of(day)} {time_of(operator.zone.time_of_day(at))}"
