"""The demo's screen: the live picture, and a line now and then where there is no terminal."""

import time
from collections import Counter, deque
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from adapters.demo_watch import TICKS_MAX, Tick, Watch
from adapters.demo_words import KINDS, REASONS, STYLES, WIDTH_MAX, moment, or_dot, spaced, whole
from domain.calendar import DAY
from sim.accelerated import Pace

_FRAME_SECONDS: Final = 0.2
_LINE_SECONDS: Final = 3.0


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
            f"{moment(operator, self.pace.at)}  {operator.accounts_overdue} overdue ({whole(operator.overdue)})"
            f"  {watch.runs_open} in a run  {len(operator.restricted())} restricted"
            f"  {whole(operator.books.collected)} collected  {watch.measures.total()} measures"
            f"  {self._rate()} events/s"
        )

    def _rate(self) -> str:
        (then, before), (now, after) = self._rates[0], self._rates[-1]
        return spaced(int((after - before) / max(now - then, 0.001)))

    def _picture(self) -> RenderableType:
        width = min(self._console.width, WIDTH_MAX)
        rows = [*self._header(width), Text(), *self._standing(), self._history(width), Text(), *self._work(), Text()]
        rows.append(Text(" What it decides (a few of all)", "bold"))
        room = max(3, min(TICKS_MAX, self._console.height - len(rows) - 1))
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
        title = f" dms demo: a synthetic operator with {spaced(len(operator.accounts))} accounts"
        title += f"{moment(operator, self.pace.at):>{max(1, width - len(title) - 1)}} "
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
            left = f" {who:<11}{or_dot(accounts):>7}    {what:<10}{whole(amount):>13}"
            rows.append(Text(f"{left}     {work_kind:<18}{or_dot(count):>6}"))
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
            ("events", or_dot(outcomes.total())),
            ("events/s", self._rate()),
            ("commits", or_dot(tally.commits)),
            ("duplicates", or_dot(outcomes["duplicate"])),
            ("rejected", or_dot(outcomes["rejected"])),
            ("failures", or_dot(tally.failures)),
            ("behind", f"{max(0.0, -self.pace.seconds_until_next()):.1f} s"),
        )
        rows = [
            Text(f" {'Measures':<11}{'by plan':>10}{'on cure':>10}{'by hand':>10}{'warning':>10}    Engine", "bold")
        ]
        for kind, (label, figure) in zip(KINDS, engine, strict=True):
            counts = "".join([f"{or_dot(measures[kind, reason]):>10}" for reason in REASONS])
            rows.append(Text.assemble((f" {kind:<11}", STYLES[kind]), counts, f"    {label:<11}{figure:>10}"))
        return rows


def _fitting(tick: Tick, width: int) -> Text:
    """A decision in the most words that fit."""
    clock, account, style, said = tick
    room = width - len(clock) - len(account)
    words = next((each for each in said if len(each) <= room), said[-1])
    return Text.assemble((clock, "dim"), (account, "bold"), (words, style))
