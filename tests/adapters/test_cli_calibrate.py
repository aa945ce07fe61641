"""`dms calibrate`: from a payment history, in a table or a store, to a behaviour that an experiment can use."""

import gzip
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from adapters.behaviour_file import load_behaviour
from adapters.behaviour_text import rounded, written
from adapters.cli import FAILED, FINE, WRONG_USE
from adapters.experiment_file import EXPERIMENTS, load_experiment
from adapters.faults import PolicyError
from sim.behaviour import Behaviour, DebtorType
from sim.spells import Invoices
from tests.adapters.command_line import Run, commands_in, is_one_line, process
from tests.sim.histories import MONTHS, TWO_TYPES, invoices, months
from tests.sim.laboratory import policy_of, scenario_of
from tests.sim.recording import worked_by_engine
from tests.sim.test_same_commands import lived


@pytest.fixture
def dms(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return commands_in(tmp_path, capfd, monkeypatch)


def day(ordinal: int) -> str:
    return date.fromordinal(int(ordinal)).isoformat() if ordinal else ""


def table(history: Invoices) -> str:
    """A history as a CSV file."""
    columns = (history.debtor, history.issued, history.due, history.settled, history.disputed)
    rows = [
        f"C{debtor},I{number},1000,{day(issued)},{day(due)},{day(settled)},{int(disputed)}"
        for number, (debtor, issued, due, settled, disputed) in enumerate(zip(*columns, strict=True))
    ]
    return "\n".join(["who,invoice_id,amount,issued_on,due_on,settled_on,disputed", *rows, ""])


def test_a_table_of_invoices(dms: Run, tmp_path: Path) -> None:
    """The report tells of rows held back; the file holds the final fit with its errors, and says what it stands on."""
    (tmp_path / "h.csv").write_text(table(invoices(TWO_TYPES, 150, 8, 1)))
    ran = dms("calibrate", "h.csv", "--map", "who=subject", "--out", "b.toml", "--types", "2")
    assert (ran.status, ran.err) == (FINE, "")
    for said in ("1,200 invoices of 150 debtors", "held back (30% of the invoices, seed 1)", "Kolmogorov-Smirnov",
                 "late after late", "Roll rates", "Fitted to all rows, those held back as well", "BIC"):  # fmt: skip
        assert said in ran.out
    text = (tmp_path / "b.toml").read_text()
    for said in ("# How debtors pay, fitted by dms calibrate to h.csv.", "log-likelihood", "standard error",
                 "tells nothing of the following"):  # fmt: skip
        assert said in text
    assert len(load_behaviour(tmp_path / "b.toml").bins) > 5
    again = dms("calibrate", "h.csv", "--map", "who=subject", "--out", "b.toml", "--types", "2", "--replace")
    assert again.out == ran.out
    assert (tmp_path / "b.toml").read_text() == text


def test_months_late(dms: Run, tmp_path: Path) -> None:
    """A gzipped table of statuses is known by its columns; they may have other names, and run backwards."""
    states = months(MONTHS, 1_500, 4, 1)
    lines = ["id," + ",".join(f"late_months_{n + 1}" for n in range(4))]
    lines += [f"{client}," + ",".join(map(str, row)) for client, row in enumerate(states.tolist())]
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    ran = dms("calibrate", "m.csv.gz", "--out", "b.toml", "--types", "1", "--against", "m.csv.gz")
    assert (ran.status, ran.err) == (FINE, "")
    assert "1,500 clients, 4 months, 4,500 moves" in ran.out
    assert "late in no month" in ran.out
    assert "On 1,500 rows of the other table" in ran.out
    assert load_behaviour(tmp_path / "b.toml").types[0].whole_items
    lines = ["id," + ",".join(f"S{n}" for n in range(4))]
    lines += [f"{client}," + ",".join(map(str, row[::-1])) for client, row in enumerate(states.tolist())]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    other = dms("calibrate", "r.csv", "--map", "S*=months_late", "--newest-first", "--types", "1", "--against", "r.csv")
    assert (other.status, other.out) == (FINE, ran.out)


def test_either_table_from_the_standard_input(dms: Run, tmp_path: Path) -> None:
    """It is read once, and known by its columns as a file is."""
    lines = ["id," + ",".join(f"late_months_{n + 1}" for n in range(4))]
    lines += [f"{client}," + ",".join(map(str, row)) for client, row in enumerate(months(MONTHS, 1_500, 4, 1).tolist())]
    for name, text, options in (
        ("m.csv", "\n".join(lines), ("--types", "1")),
        ("h.csv", table(invoices(TWO_TYPES, 150, 8, 1)), ("--types", "1", "--map", "who=subject")),
    ):
        (tmp_path / name).write_text(text)
        ran = process("calibrate", "-", *options, cwd=tmp_path, stdin=text.encode())
        assert (ran.returncode, ran.stderr) == (FINE, b"")
        assert ran.stdout.decode() == dms("calibrate", name, *options).out


def test_the_journal_of_a_store(dms: Run, tmp_path: Path) -> None:
    """What the laboratory's debtors did, worked by production's engine, is found again in its journal: parts as
    well."""
    truth = Behaviour(
        bins=(-20, 1),
        types=(
            DebtorType(
                name="alike", share=1, rates=(0.05, 0.1), claim_rate=0.1, partial_probability=0.3, partial_share=0.5
            ),
        ),
        claim_upheld=0.5,
        claim_days=8,
    )
    policy = policy_of(name="nothing")
    lines, _, until = lived(scenario_of(truth, 150, 200, charge=1_000, due_days=20), policy)
    worked_by_engine(lines, policy, tmp_path / "dms.db", until)
    ran = dms("calibrate", "--store", "sqlite:///dms.db", "--out", "b.toml", "--types", "1")
    assert (ran.status, ran.err) == (FINE, "")
    assert "of 150 debtors from 2026-01-01" in ran.out
    assert " 0 payments of a part" not in ran.out
    found = load_behaviour(tmp_path / "b.toml")
    (each,) = found.types
    # A payment of a part of several invoices pays some of them as a whole.
    assert 0.2 < each.partial_probability < 0.35
    assert each.partial_share == pytest.approx(0.5, abs=0.1)
    assert each.claim_rate == pytest.approx(0.1, abs=0.03)
    assert found.claim_days == 8
    assert found.claim_upheld == pytest.approx(0.5, abs=0.15)
    late = each.rates[found.bins.index(1)]
    assert 0.06 < late < 0.16


def test_faulty_rows_are_named_and_counted(dms: Run, tmp_path: Path) -> None:
    """They are left out, told with file and line, and the status says that the table was not all right."""
    text = table(invoices(TWO_TYPES, 100, 5, 1)) + "C1,X,none,2026-01-01,2026-01-21,,0\nC1,I0,5,2026-01-01,,,0\n"
    (tmp_path / "h.csv").write_text(text)
    ran = dms("calibrate", "h.csv", "--map", "who=subject", "--types", "1")
    assert ran.status == WRONG_USE
    assert ran.err.splitlines() == [
        'h.csv:502: amount: "none" is not a number',
        "h.csv:503: due_on: nothing there (--due-days says when such an invoice is due)",
        "2 rows could not be used",
    ]
    assert "500 invoices" in ran.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], WRONG_USE, "give a table, or --store"),
        (["h.csv", "--store", "sqlite:///x.db"], WRONG_USE, "give a table, or --store"),
        (["nowhere.csv"], WRONG_USE, "nowhere.csv: cannot be read"),
        (["h.csv"], WRONG_USE, "no column for subject"),
        (["h.csv", "--map", "who=subject", "--held-back", "1"], WRONG_USE, "--held-back must be above 0"),
        (["h.csv", "--map", "who=subject", "--types", "0"], WRONG_USE, "--types must be between 1 and 12"),
        (["h.csv", "--map", "who=subject", "--until", "soon"], WRONG_USE, "--until soon: expected a date"),
        (["h.csv", "--map", "who=subject", "--out", "h.csv"], WRONG_USE, "is there already (--replace"),
        (["h.csv", "--map", "who=subject", "--out", "no/b.toml"], WRONG_USE, "there is no folder"),
        (["h.csv", "--map", "who=subject"], FAILED, "a fit takes at least 50 payments of 10 debtors"),
        (["h.csv", "--map", "late=months_late"], WRONG_USE, "one COLUMN=months_late with a *"),
        (["--store", "sqlite:///x.db"], FAILED, "no such store"),
    ],
)
def test_wrong_use(arguments: list[str], status: int, said: str, dms: Run, tmp_path: Path) -> None:
    """One line that says what to do."""
    (tmp_path / "h.csv").write_text(table(invoices(TWO_TYPES, 4, 3, 1)))
    ran = dms("calibrate", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert is_one_line(ran.err)
    assert said in ran.err


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Number for number, calendar, claims, parts and memory included."""
    full = Behaviour(
        bins=(-3, 1, 5),
        types=(
            DebtorType(
                name="type-1", share=1 / 3, rates=(0.1, 2 / 3, 1e-7), claim_rate=0.1234567, partial_probability=0.2,
                partial_share=0.7, whole_items=True, late_factor=0.3,
            ),
        ),
        spread=0.5123456789,
        weekdays=(1.1, 1.0, 1.0, 1.0, 1.0, 0.9, 0.7),
        month_days=(2.0, *[1.0] * 30),
        claim_days=9,
        claim_upheld=0.25,
        claim_factor=0.5,
    )  # fmt: skip
    behaviour = rounded(full)
    errors = replace(behaviour, types=(replace(behaviour.types[0], rates=(0.1, float("nan"), 1.0)),))
    path = tmp_path / "b.toml"
    path.write_text(written(behaviour, errors, ["a head"]))
    assert load_behaviour(path) == behaviour
    assert rounded(behaviour) == behaviour


def test_an_experiment_takes_a_behaviour_from_a_file(tmp_path: Path) -> None:
    """``file`` beside lifts and promises of the experiment's own; what the file has wrong is told with its line."""
    shipped = (EXPERIMENTS / "card.toml").read_text()
    begin, end = shipped.index("[behaviour.cards]"), shipped.index("[gateway.messaging]")
    own = '[behaviour.cards]\nfile = "b.toml"\npromise_made = 0.4\n[behaviour.cards.lift]\ncall = { size = 1.5 }\n\n'
    path = tmp_path / "e.toml"
    path.write_text(shipped[:begin] + own + shipped[end:])
    behaviour = rounded(MONTHS)
    text = written(behaviour, behaviour, [])
    (tmp_path / "b.toml").write_text(text)
    found = load_experiment(path).scenario.behaviours["cards"]
    assert found.types == behaviour.types
    assert (found.promise_made, found.lifts["call"].size) == (0.4, 1.5)
    (tmp_path / "b.toml").write_text(text.replace("share = 0.75", "share = true"))
    with pytest.raises(PolicyError, match=r'b\.toml:\d+: type "ready": share must be a number'):
        load_experiment(path)
    (tmp_path / "b.toml").unlink()
    with pytest.raises(PolicyError, match="no such file"):
        load_experiment(path)


def test_the_seed_makes_the_split() -> None:
    """The history that the tests draw is the same for the same seed."""
    assert (months(MONTHS, 50, 3, 1) == months(MONTHS, 50, 3, 1)).all()
    assert np.any(months(MONTHS, 50, 3, 1) != months(MONTHS, 50, 3, 2))
