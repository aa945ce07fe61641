"""`dms calibrate`: from a payment history to a behaviour, and how well it fits on rows that it has not seen."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from cyclopts import Parameter

from adapters.cli import FINE, WRONG_USE, Failure, WrongUse, file_named, out_named

if TYPE_CHECKING:
    from adapters.csv_table import Rows
    from adapters.history_rows import AmountUnit
    from adapters.status_rows import StatusColumns
    from sim.behaviour import Integers
    from sim.calibration import Calibration
    from sim.judgement import Judgement
    from sim.spells import Invoices

FAULTS_MAX: Final = 20
SPLITS: Final = ("invoices", "debtors")
Say = Callable[[str], None]


class Options(NamedTuple):
    """What was asked for, beside the history."""

    held_back: float
    split: str
    types: int
    seed: int


class Invoiced(NamedTuple):
    """A history of invoices, and its first and last day."""

    invoices: "Invoices"
    days: tuple[int, int]


class Monthly(NamedTuple):
    """A history of months late: the clients' states, and how months late are called."""

    months: "Integers"
    states: tuple[str, ...]


def calibrate(
    history: Annotated[str | None, Parameter(help="A table of invoices, or of months late; CSV, also gzipped.")] = None,
    /,
    *,
    store: Annotated[
        str | None, Parameter(help="The journal of a store instead: its URL. Read, never written.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        Parameter(name="--map", consume_multiple=True, help="COLUMN=FIELD, once for each field; see below."),
    ] = None,
    out: Annotated[str | None, Parameter(help="A new file for the behaviour, TOML.")] = None,
    replace_out: Annotated[bool, Parameter(name="--replace", negative="", help="Or an old one, anew.")] = False,
    held_back: Annotated[float, Parameter(help="The share of rows that the fit is judged on.")] = 0.3,
    split: Annotated[
        Literal["invoices", "debtors"],
        Parameter(help="Held back are some invoices of all, or debtors."),
    ] = "invoices",
    against: Annotated[str | None, Parameter(help="Another table, to judge the written behaviour on.")] = None,
    types: Annotated[int, Parameter(help="At most so many latent types of debtors.")] = 4,
    seed: Annotated[int, Parameter(help="One seed makes one split, and one prediction.")] = 1,
    until: Annotated[str | None, Parameter(help="The last day of which the table tells; else the last in it.")] = None,
    due_days: Annotated[int | None, Parameter(help="Days from issue to due date, where a row has none.")] = None,
    amount_unit: Annotated[Literal["minor", "major"], Parameter(help="Kopecks, or roubles.")] = "minor",
    currency: Annotated[str, Parameter(help="Of the table's amounts.")] = "RUB",
    timezone: Annotated[str, Parameter(help="Of the store's days.")] = "Europe/Moscow",
    newest_first: Annotated[bool, Parameter(negative="", help="Month 1 of months late is the last one.")] = False,
) -> int:
    """Fit how debtors pay to their payment history, and judge the fit on rows held back.

    The fields of invoices are those of dms import: subject, invoice_id, amount, issued_on, due_on, settled_on,
    disputed; an invoice without settled_on is not paid yet. A table of months late has a row for each client and a
    column for each month: late_months_1 and so on, or --map 'COLUMN_*=months_late'. Faulty rows are named, and left
    out.

    For example:

        dms calibrate invoices.csv --map customer=subject --map number=invoice_id --out behaviour.toml
    """
    if (history is None) == (store is None):
        raise WrongUse("give a table, or --store with the URL of a store")
    if not 0 < held_back < 0.9:
        raise WrongUse(f"--held-back must be above 0 and below 0.9, not {held_back:g}")
    if not 1 <= types <= 12:
        raise WrongUse(f"--types must be between 1 and 12, not {types}")
    if not 0 <= seed < 1 << 63:
        raise WrongUse(f"--seed must be between 0 and {(1 << 63) - 1}, not {seed}")
    target = _target(out, replace_out)
    reading = _Reading(columns or [], until, due_days, amount_unit, currency, timezone, newest_first)
    with _shown() as say:
        found = reading.table(history) if history is not None else reading.store(store or "", say)
        other = reading.table(against) if against is not None else None
        if other is not None and type(other) is not type(found):
            raise WrongUse(f"--against {against}: a table of the other kind")
        work = _months if isinstance(found, Monthly) else _invoices
        report = work(found, other, Options(held_back, split, types, seed), say)  # type: ignore[arg-type]
    source = Path(history).name if history not in (None, "-", "./-") else ("a store" if store else "a table")
    return _tell(report, source, target, reading)


def _target(out: str | None, replace_out: bool) -> Path | None:
    """Where the behaviour goes: never over a file that somebody may have worked on, unless told to."""
    if out is None:
        return None
    named = out_named(out)
    if named is None:
        return Path("/dev/stdout")
    target = Path(named)
    if target.exists() and not replace_out:
        raise WrongUse(f"--out {out}: is there already (--replace writes it anew)")
    return target


class Report(NamedTuple):
    """What is told and written: the judgement on rows held back, that on another table, and the final fit."""

    kind: str
    states: tuple[str, ...]
    held_back: "Judgement"
    against: "Judgement | None"
    final: "Calibration"
    about: str
    holding: str


def _invoices(found: Invoiced, other: Invoiced | None, options: Options, say: Say) -> Report:
    import numpy as np

    from adapters.behaviour_text import rounded
    from adapters.calibration_words import INVOICE_STATES
    from sim.calibration import TooFew, calibrate_invoices
    from sim.judgement import judge_invoices

    invoices = found.invoices
    generator = np.random.Generator(np.random.Philox(options.seed))
    if options.split == "invoices":
        held = generator.random(len(invoices)) < options.held_back
    else:
        held = (generator.random(invoices.debtors) < options.held_back)[invoices.debtor]
    if not held.any():
        raise Failure("no row is held back: the history is too short, or --held-back too small")
    try:
        training = calibrate_invoices(
            invoices.chosen(np.flatnonzero(~held)),
            options.types,
            lambda said: say(f"on training rows: {said}"),
            with_errors=False,
        )
        judgement = judge_invoices(training, invoices.chosen(np.flatnonzero(held)), options.seed)
        final = calibrate_invoices(invoices, options.types, lambda said: say(f"on all rows: {said}"))
    except TooFew as few:
        raise Failure(f"too little history: {few}") from None
    final = replace(final, behaviour=rounded(final.behaviour))
    paid, disputed = int((invoices.settled > 0).sum()), int(invoices.disputed.sum())
    first, last = (date.fromordinal(day).isoformat() for day in found.days)
    about = (
        f"{len(invoices):,} invoices of {final.debtors:,} debtors from {first} to {last}: {paid:,} paid, "
        f"{len(invoices) - paid:,} open (censored), {disputed:,} disputed, {len(invoices.parts):,} payments of a part"
    )
    return Report(
        "invoices", INVOICE_STATES, judgement,
        judge_invoices(final, other.invoices, options.seed) if other is not None else None,
        final, about, f"invoices held back ({options.held_back:.0%} of the {options.split}, seed {options.seed})",
    )  # fmt: skip


def _months(found: Monthly, other: Monthly | None, options: Options, say: Say) -> Report:
    import numpy as np

    from adapters.behaviour_text import rounded
    from sim.calibration import TooFew, calibrate_months
    from sim.judgement import judge_months

    months = found.months
    held = np.random.Generator(np.random.Philox(options.seed)).random(len(months)) < options.held_back
    if not held.any():
        raise Failure("no client is held back: the history is too short, or --held-back too small")
    try:
        training = calibrate_months(
            months[~held], options.types, lambda said: say(f"on training rows: {said}"), with_errors=False
        )
        judgement = judge_months(training, months[held], options.seed)
        final = calibrate_months(months, options.types, lambda said: say(f"on all rows: {said}"))
    except TooFew as few:
        raise Failure(f"too little history: {few}") from None
    final = replace(final, behaviour=rounded(final.behaviour))
    about = f"{len(months):,} clients, {months.shape[1]} months, {final.observations:,} moves from month to month"
    return Report(
        "months", found.states, judgement,
        judge_months(final, other.months, options.seed) if other is not None else None,
        final, about, f"clients held back ({options.held_back:.0%}, seed {options.seed})",
    )  # fmt: skip


class _Reading:
    """Reads histories; what cannot be used is named on standard error, and counted in ``refused``."""

    def __init__(
        self,
        mapping: Sequence[str],
        until: str | None,
        due_days: int | None,
        unit: "AmountUnit",
        currency: str,
        timezone: str,
        newest_first: bool,
    ) -> None:
        self._mapping: Final = mapping
        self._until: Final = _day(until)
        self._due_days: Final = due_days
        self._unit: Final = unit
        self._currency: Final = currency
        self._timezone: Final = timezone
        self._newest_first: Final = newest_first
        self.refused = 0
        self.notes: Final[list[str]] = []

    def table(self, name: str) -> Invoiced | Monthly:
        """A table of either kind."""
        from adapters.csv_table import table_rows
        from adapters.status_rows import status_columns

        file = file_named(name)
        with closing(table_rows(file)) as rows:
            _, header = next(rows)  # read once: it may be the standard input
            columns = status_columns(header, self._mapping, self._newest_first)
            if columns is not None:
                return self._statuses(file, rows, columns)
            return self._invoices(file, rows, header)

    def _refuse(self, file: str) -> Callable[[int, str], None]:
        from adapters.json_lines import InputError

        def refuse(line: int, message: str) -> None:
            self.refused += 1
            if self.refused <= FAULTS_MAX:
                print(InputError(file, line, message), file=sys.stderr)

        return refuse

    def _invoices(self, file: str, rows: "Rows", header: Sequence[str]) -> Invoiced:
        from adapters.history_rows import rows_under
        from adapters.invoice_table import ROWS_MAX, InvoiceTable
        from adapters.json_lines import InputError

        refuse = self._refuse(file)
        table = InvoiceTable()
        seen: dict[tuple[str, str], int] = {}
        for row in rows_under(header, rows, self._mapping, self._currency, self._unit, refuse):
            first = seen.setdefault((row.subject, row.invoice_id), row.line)
            if first != row.line:
                refuse(row.line, f"invoice_id: {row.invoice_id} of {row.subject} stands on line {first} already")
            elif row.due_on is None and self._due_days is None:
                refuse(row.line, "due_on: nothing there (--due-days says when such an invoice is due)")
            elif len(table) >= ROWS_MAX:
                raise InputError(file, row.line, f"more than {ROWS_MAX} rows: a part of them is enough")
            else:
                table.add_rows([replace(row, due_on=row.due_on or row.issued_on + (self._due_days or 0))])
        if len(table) == 0:
            raise WrongUse(f"{file}: no row that can be used")
        until = self._until or table.last_day()
        return Invoiced(table.invoices(until), (min(table.issued), until))

    def _statuses(self, file: str, rows: "Rows", columns: "StatusColumns") -> Monthly:
        import numpy as np

        from adapters.status_rows import read_statuses
        from sim.month_chain import aligned, states_of

        found = [statuses for _, statuses in read_statuses(rows, columns, self._refuse(file))]
        if not found:
            raise WrongUse(f"{file}: no row that can be used")
        states, first, jumps = states_of(np.array(found, dtype=np.int64))
        if first > 1:
            self.notes.append(
                f"{file}: the status 1 is hardly used; {first} counts as one month late, {first + 1} as two"
            )
        if jumps:
            self.notes.append(f"{file}: {jumps} moves by more than one month within a month were left out")
        return Monthly(aligned(states), ("current", str(first), str(first + 1), f"{first + 2}+"))

    def store(self, url: str, say: Say) -> Invoiced:
        """The journal of a store."""
        from adapters.bootstrap import open_reader
        from adapters.settings import load_settings
        from adapters.store_history import StoreHistory
        from domain.calendar import Zone

        try:
            zone = Zone(self._timezone)
        except (KeyError, ValueError, OSError):
            raise WrongUse(f"--timezone {self._timezone}: no such time zone, such as Europe/Moscow") from None
        history = StoreHistory(zone)
        with open_reader(load_settings(None, {"store": url})) as reader:
            history.read(reader, lambda profiles: say(f"{profiles:,} profiles read"))
        if history.with_balance:
            self.notes.append(f"{history.with_balance} profiles have a balance and no invoices: they were left out")
        if history.is_cut:
            self.notes.append(f"{len(history.table):,} invoices of the first {history.profiles:,} profiles are enough")
        if len(history.table) == 0:
            raise Failure(f"{url}: the journal holds no invoice")
        until = self._until or history.last_day
        return Invoiced(history.table.invoices(until), (min(history.table.issued), until))


def _day(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        raise WrongUse(f"--until {text}: expected a date such as 2026-03-01") from None


def _tell(report: Report, source: str, target: Path | None, reading: _Reading) -> int:
    from adapters.behaviour_text import written
    from adapters.calibration_words import found, judged

    to = sys.stderr if target == Path("/dev/stdout") else sys.stdout
    lines = [report.about, *reading.notes, "", *judged(report.held_back, report.states, report.holding), ""]
    if report.against is not None:
        lines += ["And the behaviour fitted to all rows:", ""]
        lines += [*judged(report.against, report.states, "rows of the other table"), ""]
    lines += ["Fitted to all rows, those held back as well:", *found(report.final)]
    print("\n".join(lines), file=to)
    if target is not None:
        head = [f"How debtors pay, fitted by dms calibrate to {source}.", report.about, *found(report.final)]
        head += [*_usage(report.kind)]
        text = written(report.final.behaviour, report.final.errors, head)
        _write(target, text)
    if reading.refused > FAULTS_MAX:
        print(f"and {reading.refused - FAULTS_MAX} more", file=sys.stderr)
    if reading.refused:
        print(f"{reading.refused} rows could not be used", file=sys.stderr)
    return WRONG_USE if reading.refused else FINE


def _usage(kind: str) -> Iterator[str]:
    """What an experiment has to say for the behaviour to mean there what it meant in the history."""
    yield ""
    yield 'In an experiment: [behaviour.NAME] with file = "this file", and lifts and promises of your own beside it.'
    if kind == "months":
        yield "A month is a bin of days past due: such a group has an invoice a month, all alike, and due_days = 30."
    else:
        yield "The rates are those of single invoices; in an experiment one payment pays all that an account owes."


def _write(target: Path, text: str) -> None:
    if target == Path("/dev/stdout"):
        sys.stdout.write(text)
        return
    draft = target.with_name(f".{target.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


@contextmanager
def _shown() -> Iterator[Say]:
    """What is being done, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading") as status:
        yield status.update
