"""Calibration finds again what a history was drawn from, and says how surely."""

from dataclasses import replace

import numpy as np
import pytest

from sim.behaviour import Behaviour, DebtorType
from sim.calibration import Calibration, TooFew, calibrate_invoices, calibrate_months
from sim.foresight import foreseen, pooled, seen
from sim.goodness import Timing, as_rates, distance, habit, invoice_rolls, month_rolls, quantiles, survival
from sim.hazard_likelihood import HazardLikelihood
from sim.judgement import judge_invoices, judge_months
from sim.mixture import _Problem
from sim.month_chain import UNKNOWN, MonthChain, aligned, month_matrices, patterns, states_of
from sim.paying_days import Calendar
from sim.receivables import Receivables
from sim.spells import Invoices, bins_of, spells_of
from sim.world import Branch
from tests.sim.histories import BINS, FIRST, MONTHS, TWO_TYPES, invoices, months
from tests.sim.laboratory import policy_of, scenario_of

ERRORS_MAX = 4.0


def far(found: float, truth: float, error: float) -> bool:
    """Further from the truth than chance brings it once in ten thousand times."""
    return not abs(found - truth) < ERRORS_MAX * error


@pytest.fixture(scope="module")
def found() -> Calibration:
    """The fit of a history of a known behaviour, a tenth of whose invoices are open at its end."""
    return calibrate_invoices(invoices(TWO_TYPES, 600, 12, 1, until=FIRST + 360), bins=BINS)


def test_a_behaviour_is_found_again(found: Calibration) -> None:
    """Every number is within its standard errors of the truth, and no error is so great that this says nothing."""
    behaviour, errors = found.behaviour, found.errors
    assert [each.name for each in behaviour.types] == ["type-1", "type-2"]
    assert not far(behaviour.spread, TWO_TYPES.spread, errors.spread)
    assert not far(behaviour.overdue_power, TWO_TYPES.overdue_power, errors.overdue_power)
    assert errors.overdue_power < 0.15
    assert not far(behaviour.claim_factor, TWO_TYPES.claim_factor, errors.claim_factor)
    assert behaviour.claim_days == TWO_TYPES.claim_days
    assert errors.spread < 0.1
    for each, error, truth in zip(behaviour.types, errors.types, TWO_TYPES.types, strict=True):
        assert not far(each.share, truth.share, error.share)
        assert not far(each.claim_rate, truth.claim_rate, error.claim_rate)
        for rate, rate_error, true_rate in zip(each.rates, error.rates, truth.rates, strict=True):
            assert not far(rate, true_rate, rate_error)
            assert rate_error < 0.4 * true_rate


def test_it_predicts_what_it_has_not_seen(found: Calibration) -> None:
    """Other debtors of the same behaviour pay as predicted: days to pay, late after late, roll rates."""
    judgement = judge_invoices(found, invoices(TWO_TYPES, 2_000, 12, 2), 1)
    assert judgement.distance < 0.03
    assert judgement.predicted.habit.ratio == pytest.approx(judgement.seen.habit.ratio, rel=0.15)
    rolls = [as_rates(view.rolls)[:2, :2] for view in (judgement.seen, judgement.predicted)]
    assert np.abs(rolls[0] - rolls[1]).max() < 0.05


def test_open_invoices_count_as_open() -> None:
    """Half of what is billed is open when the history ends: who left that out would see debtors pay twice as fast."""
    whole = invoices(TWO_TYPES, 600, 2, 3)
    cut = invoices(TWO_TYPES, 600, 2, 3, until=FIRST + 48)
    assert (cut.settled == 0).mean() > 0.4
    fits = [calibrate_invoices(each, 1, bins=BINS, with_errors=each is cut) for each in (whole, cut)]
    (one,), (other,) = (fit.behaviour.types for fit in fits)
    for of_one, of_other, error in zip(one.rates[:3], other.rates[:3], fits[1].errors.types[0].rates[:3], strict=True):
        assert not far(of_one, of_other, error)


def test_days_of_the_week_are_found() -> None:
    """People who hardly pay on Sundays: the factor shows it, and other days stay near each other."""
    weekdays = (1.2, 1.2, 1.2, 1.2, 1.2, 0.8, 0.2)
    truth = replace(TWO_TYPES, weekdays=weekdays)
    found = calibrate_invoices(invoices(truth, 500, 12, 4), 1, bins=BINS, with_errors=False).behaviour
    ratios = np.array(found.weekdays) / np.array(weekdays)
    assert np.abs(ratios / ratios.mean() - 1).max() < 0.2
    assert found.month_days == (1.0,) * 31


def test_parts_of_payments_are_found() -> None:
    """A third of the payments are parts of about half: the probability and the mean share come back."""
    history = invoices(Behaviour(bins=BINS, types=TWO_TYPES.types[:1], spread=0.3), 300, 10, 5)
    generator = np.random.default_rng(1)
    paid = np.flatnonzero((history.settled > 0) & (history.settled > history.issued + 1))
    chosen = paid[generator.random(len(paid)) < 0.5]
    parts = tuple((int(row), int(history.settled[row]) - 1, 0.3 + 0.4 * float(generator.random())) for row in chosen)
    fit = calibrate_invoices(replace(history, parts=parts), 1, bins=BINS)
    (each,), (error,) = fit.behaviour.types, fit.errors.types
    payments = int((history.settled > 0).sum()) + len(parts)
    assert each.partial_probability == pytest.approx(len(parts) / payments, abs=0.01)
    assert each.partial_share == pytest.approx(0.5, abs=0.02)
    assert 0 < error.partial_probability < 0.02


def test_the_gradient_is_that_of_the_likelihood() -> None:
    """Of both likelihoods: differences of the objective give what the formulas give."""
    history = invoices(TWO_TYPES, 60, 6, 6, until=FIRST + 150)
    spells = spells_of(history, 10)
    counts = np.bincount(history.debtor, minlength=60)
    hazards = HazardLikelihood(
        spells, 60, BINS, Calendar(), np.bincount(history.debtor[history.disputed], minlength=60), counts
    )
    of_hazards = _Problem(hazards, hazards.design(2))
    chain = MonthChain(*patterns(months(MONTHS, 300, 5, 1)))
    of_chain = _Problem(chain, chain.design(2))
    for problem, start in ((of_hazards, hazards.start(2, 1.0)), (of_chain, chain.start(2))):
        vector = problem.vector(start, -0.5)
        slopes = problem.objective(vector)[1]
        for place in range(len(vector)):
            step = 1e-5 * np.eye(len(vector))[place]
            differences = (problem.objective(vector + step)[0] - problem.objective(vector - step)[0]) / 2e-5
            assert differences == pytest.approx(slopes[place], rel=1e-3, abs=0.02)


def test_too_little_history_is_refused() -> None:
    """Nobody is told that three payments are a behaviour."""
    with pytest.raises(TooFew, match="50 payments of 10 debtors"):
        calibrate_invoices(invoices(TWO_TYPES, 3, 2, 1))
    with pytest.raises(TooFew, match="200 moves"):
        calibrate_months(np.zeros((20, 5), dtype=np.int64))


def test_months_late_are_found_again() -> None:
    """Two types of clients: the fit predicts the roll rates of others, and who is never late and always."""
    fit = calibrate_months(months(MONTHS, 5_000, 4, 1), 2)
    assert len(fit.behaviour.types) == 2
    judgement = judge_months(fit, months(MONTHS, 8_000, 4, 2), 1)
    counts = judgement.seen.rolls.sum(axis=1, keepdims=True)
    away = np.abs(as_rates(judgement.seen.rolls) - as_rates(judgement.predicted.rolls))
    assert (away[:2] < 0.02).all()
    # Hardly anybody is in the other states: neither those fitted to nor those held back tell much of them.
    assert (away[2:] < 0.02 + 6 * np.sqrt(0.25 / counts[2:])).all()
    assert judgement.predicted.never == pytest.approx(judgement.seen.never, abs=0.02)
    assert judgement.predicted.always == pytest.approx(judgement.seen.always, abs=0.02)
    for each, error, truth in zip(fit.behaviour.types, fit.errors.types, MONTHS.types, strict=True):
        assert not far(each.share, truth.share, error.share)
        assert not far(each.rates[0], truth.rates[0], error.rates[0])


def test_the_months_matrix_is_what_the_days_bring() -> None:
    """The chain's matrix of a month, against clients who live it day by day."""
    (ready, _) = MONTHS.types
    alone = replace(MONTHS, types=(replace(ready, share=1.0),))
    rates = np.array(ready.rates)
    matrix = month_matrices(rates, ready.partial_probability, ready.partial_share, ready.late_factor, np.ones(1))[0]
    assert matrix.sum(axis=1) == pytest.approx(np.ones(len(matrix)))
    lived = as_rates(month_rolls(months(alone, 20_000, 4, 3), 3))
    assert lived[:2, :2] == pytest.approx(matrix[:2, :2], abs=0.02)


def test_the_laboratory_rolls_as_the_chain_does() -> None:
    """A fitted behaviour in the laboratory's world: items a month apart, parts of whole items, memory of being late."""
    (_, late) = MONTHS.types
    alone = replace(MONTHS, types=(replace(late, share=1.0),))
    rates = np.array(late.rates)
    matrix = month_matrices(rates, late.partial_probability, late.partial_share, late.late_factor, np.ones(1))[0]
    accounts = 6_000
    world = replace(scenario_of(alone, accounts, 90, charge=1_000, due_days=30), branch_accounts=accounts)
    branch = Branch(world, policy_of(name="nothing"), 1, 0, 0)
    branch.run()
    # Three items have fallen due by the end of March, the last on that day.
    owed = ((branch.books.left > 0) & (branch.books.due <= world.start + 89)).sum(axis=1)
    shown = np.bincount(owed, minlength=4)[:4] / accounts
    assert shown == pytest.approx(np.linalg.matrix_power(matrix, 3)[0, :4], abs=0.03)


def test_whole_items_are_paid() -> None:
    """A part pays the oldest items that it covers, and at least the oldest."""
    books = Receivables(2, 3)
    rows = np.array([0, 1])
    for due in (10, 40, 70):
        books.bill(rows, np.array([100, 100]), np.array([due, due], dtype=np.int32), 0)
    books.pay(np.array([1]), np.array([100]))
    assert books.whole_items(rows, np.array([250, 50])).tolist() == [200, 100]


def test_statuses_become_states() -> None:
    """A table that hardly uses the status 1 begins with 2; jumps are counted; unknown months stay unknown."""
    statuses = np.array([[0, 2, 3, 0, -1], [0, 0, 4, 2, UNKNOWN], [UNKNOWN, 0, 2, 2, 2]])
    states, first, jumps = states_of(statuses)
    assert (first, jumps) == (2, 1)
    assert states.tolist() == [[0, 1, 2, 0, 0], [0, 0, 3, 1, -1], [-1, 0, 1, 1, 1]]
    assert aligned(states)[2].tolist() == [0, 1, 1, 1, -1]
    assert states_of(np.array([[0, 1, 2]]))[1] == 1


def test_survival_is_kaplan_and_meiers() -> None:
    """Of five, one is last seen open on day 2: from then on four were at risk, of whom two were left."""
    days, paid = np.array([1, 2, 2, 3, 5]), np.array([True, True, False, True, True])
    assert survival(days, paid, np.array([0, 1, 2, 3, 5])).tolist() == pytest.approx([1, 0.8, 0.6, 0.3, 0])


def test_figures_of_timing() -> None:
    """Quantiles, late after late, and roll rates of a handful of invoices, by hand."""
    debtor = np.array([0, 0, 0, 1, 1, 1])
    due = np.array([100, 130, 160, 100, 130, 160])
    timing = Timing(debtor=debtor, due=due, days=np.array([5, 5, -3, -1, -1, 40]), paid=np.ones(6, dtype=np.bool_))
    assert quantiles(timing) == (-3, -1, -1, 5, 40, 40)
    found = habit(timing)
    assert (found.after_late, found.after_on_time) == (0.5, 0.5)
    assert distance(timing, timing) == 0.0
    assert invoice_rolls(timing, 300)[0, 0] > 0


def test_bins_follow_the_payments() -> None:
    """They begin with the first payment, one begins on the day after the due date, and none is without payments."""
    spells = spells_of(invoices(TWO_TYPES, 100, 5, 7), 10)
    bins = bins_of(spells)
    assert bins[0] == int(spells.last[spells.paid].min())
    assert 1 in bins
    counts, _ = np.histogram(spells.last[spells.paid], bins=[*bins, 10_000])
    assert counts.min() > 0


def test_prediction_is_repeated_by_its_seed() -> None:
    """One seed, one prediction."""
    history = invoices(TWO_TYPES, 50, 3, 8)
    one, two = (pooled(foreseen(TWO_TYPES, history, 5, 2)) for _ in range(2))
    assert (one.days == two.days).all()
    assert len(seen(history).days) == len(history)


def test_an_invoice_paid_before_its_claims_answer_is_taken_as_it_is() -> None:
    """Its spell begins on the day of issue; that of one paid later begins with the answer."""
    history = Invoices(
        debtor=np.array([0, 0]),
        issued=np.array([100, 100]),
        due=np.array([120, 120]),
        settled=np.array([105, 130]),
        disputed=np.array([True, True]),
        answered=np.array([0, 0]),
        until=np.array([200, 200]),
        debtors=1,
    )
    spells = spells_of(history, 12)
    assert (spells.first.tolist(), spells.last.tolist()) == ([-20, -8], [-15, 10])


def test_types_of_equal_debtors_are_one() -> None:
    """Where there is but one type, the criterion finds one."""
    truth = Behaviour(bins=BINS, types=(DebtorType(name="alike", share=1, rates=(0.02, 0.08, 0.1, 0.05)),), spread=0.6)
    assert len(calibrate_invoices(invoices(truth, 300, 8, 9), with_errors=False).behaviour.types) == 1
