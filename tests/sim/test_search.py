"""The search: it finds what is known to be better, keeps limits, and says of what luck it is."""

from dataclasses import replace

import pytest

from domain.policy import Measure
from sim.behaviour import Behaviour, DebtorType, Lift
from sim.comparison import Interval
from sim.scenario import Scenario
from sim.search import Candidate, Limit, Parameter, Search, SearchPlan, Trial, Values
from tests.sim.laboratory import policy_of, scenario_of

SMS = Measure(name="sms", kind="notify", target="messaging", day=2, cost=2.0)
DAYS = Parameter(name="day", values=(1, 2, 5, 9), ordered=True, now=5)


def debtors() -> Behaviour:
    """Who is reminded pays twice as readily for a while."""
    return Behaviour(
        bins=(1,),
        types=(DebtorType(name="alike", share=1, rates=(0.03,)),),
        lifts={"notify": Lift(size=3.0, fade_days=10.0)},
    )


def world(**more: object) -> Scenario:
    return replace(scenario_of(debtors(), accounts=120, days=80), **more)  # type: ignore[arg-type]


def made(values: Values) -> Candidate | str:
    """A reminder on a day, or none; on the ninth it cannot be."""
    if values["day"] == 9:
        return "nobody works on the ninth"
    day = values["day"]
    assert isinstance(day, int)
    measures = [replace(SMS, day=day)] if values.get("sent", True) else []
    return Candidate(world(), policy_of(*measures))


def today() -> Candidate:
    found = made({"day": 5})
    assert isinstance(found, Candidate)
    return found


def search(plan: SearchPlan, seed: int = 1, workers: int = 1) -> Search:
    return Search(plan, today(), made, seed=seed, workers=workers)


def test_an_earlier_reminder_brings_money_earlier() -> None:
    """With every set of values tried, the first day is the best; what holds today adds exactly nothing."""
    found = search(SearchPlan(parameters=(DAYS,), trials=9, replications=2, figure="collected")).run()
    assert [trial.values["day"] for trial in found.ranked] == [1, 2, 5]
    assert found.ranked[2].gain == Interval(0, 0)
    assert 9 not in {trial.values["day"] for trial in found.ranked}
    assert not found.interrupted


def test_what_is_refused_is_told_and_does_not_count() -> None:
    found = search(SearchPlan(parameters=(DAYS,), trials=3, replications=1)).run()
    assert len([trial for trial in found.trials if not trial.refused]) == 3
    assert {trial.refused for trial in found.trials} <= {"", "nobody works on the ninth"}


def test_a_measure_that_moves_nobody_is_found_to_cost() -> None:
    """To do without it is better by what it costs."""
    deaf = replace(debtors(), lifts={})
    parameter = Parameter(name="sent", values=(True, False), ordered=False, now=True)

    def of(values: Values) -> Candidate | str:
        return Candidate(
            replace(world(), behaviours={"theirs": deaf}), policy_of(*([SMS] if values["sent"] else []))
        )  # fmt: skip

    base = of({"sent": True})
    assert isinstance(base, Candidate)
    found = Search(SearchPlan(parameters=(parameter,), trials=2, replications=2), base, of).run()
    assert found.ranked[0].values == {"sent": False}
    assert found.ranked[0].gain is not None
    assert found.ranked[0].gain.mean > 0


def test_what_breaks_a_limit_is_no_answer() -> None:
    limits = (Limit(figure="contacts", most=0.0),)
    plan = SearchPlan(parameters=(DAYS,), limits=limits, trials=3, replications=1)
    found = search(plan).run()
    assert found.ranked == []
    assert all(trial.kept[0].excess > 0 for trial in found.trials if not trial.refused)
    of_today = replace(plan, limits=(Limit(figure="collected", least=1.0, of_base=True),))
    assert {trial.values["day"] for trial in search(of_today).run().ranked} == {1, 2, 5}


def test_a_total_is_bounded_by_its_share_of_the_portfolio() -> None:
    """A trial is one branch: a bound on a total of four branches is four times as much there; a rate's is the same."""

    def of(values: Values) -> Candidate | str:
        return Candidate(world(accounts=480, branch_accounts=120), policy_of(SMS))

    base = of({})
    assert isinstance(base, Candidate)
    limits = (Limit(figure="contacts", most=800.0), Limit(figure="cure_rate", least=0.2))
    plan = SearchPlan(parameters=(replace(DAYS, values=(1, 2)),), limits=limits, trials=1, replications=1, confirm=2)
    wanted = Search(plan, base, of)
    [trial] = wanted.run().trials
    assert [each.bound for each in trial.kept] == [200.0, 0.2]
    assert [each.bound for each in wanted.confirm(trial).kept] == [800.0, 0.2]


def test_people_are_paid() -> None:
    """What one more costs a month is taken from what he brings; a part of a month is paid by its days."""
    more = Parameter(name="people", values=(1, 2), ordered=True, now=1, monthly=1_000)

    def of(values: Values) -> Candidate | str:
        return today()

    found = Search(SearchPlan(parameters=(more,), trials=2, replications=1), today(), of).run()
    gains = {trial.values["people"]: trial.gain.mean for trial in found.trials if trial.gain}
    assert gains == {1: 0, 2: pytest.approx(-1_000 * (2 + 21 / 31))}  # January, February, and 21 days of March


def test_the_same_seed_makes_the_same_search_on_any_number_of_processes() -> None:
    plan = SearchPlan(parameters=(replace(DAYS, values=tuple(range(1, 9))),), trials=4, replications=2)
    trials = [search(plan, 7, workers).run().trials for workers in (1, 2)]
    assert trials[0] == trials[1]


def test_the_winner_is_confirmed_on_other_debtors() -> None:
    wanted = search(SearchPlan(parameters=(DAYS,), trials=3, replications=2, confirm=3, figure="collected"))
    best = wanted.run().ranked[0]
    units: list[tuple[int, int]] = []
    confirmed = wanted.confirm(best, lambda done, total: units.append((done, total)))
    assert units == [(done, 6) for done in range(1, 7)]  # three replications of either policy
    assert confirmed.values == best.values
    assert confirmed.gain is not None
    assert best.gain is not None
    assert confirmed.gain.mean != best.gain.mean
    assert confirmed.gain.mean > 0


def test_an_interruption_keeps_what_is_finished() -> None:
    def progress(done: int, total: int, best: Trial | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    told: list[int] = []
    found = search(SearchPlan(parameters=(DAYS,), trials=3, replications=1)).run(progress, told.append)
    assert found.interrupted
    assert len([trial for trial in found.trials if not trial.refused]) == 2
    assert told == [len(found.trials)]


def test_a_search_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to change"):
        search(SearchPlan(parameters=()))
