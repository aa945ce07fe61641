"""The second world: every port's twin, a synthetic operator to feed the real engine, and the policy laboratory.

The twins (store.py, replay_store.py, clock.py, accelerated.py, broker.py) are kept like production code, and the store
passes the contract suite of the real one; a single node and a replay run on what is in memory here. The operator
(operator.py with its billing, customers and back office) speaks CloudEvents and knows nothing of the engine. One seed
makes one world.

The laboratory runs the domain itself: `Experiment` compares policies on the portfolio of a `Scenario`. One branch in
one replication under one policy is a world of its own (world.py), with its books (receivables.py, ageing.py), its
debtors (portfolio.py, behaviour.py, payers.py), those who work them (office.py, people.py, dialler.py, capacity.py),
and the domain's profiles (casework.py); what comes out is summed (tally.py) into tables (results.py) and compared
(comparison.py). How debtors behave is fitted to payment histories (calibration.py, by hazard_likelihood.py and
month_chain.py within mixture.py) and judged on what was held back (judgement.py).

May import: domain, actors, engine, and SimPy, which is used in no other room. Knows no adapter.

Start with clock.py and store.py for the twins, operator.py for the operator, world.py for the laboratory.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.experiment import Experiment as Experiment
    from sim.experiment import Outcome as Outcome
    from sim.experiment import StoppingRule as StoppingRule
    from sim.results import Results as Results
    from sim.scenario import Scenario as Scenario

_MODULES = {"Results": "sim.results", "Scenario": "sim.scenario"}
__all__ = ["Experiment", "Outcome", "Results", "Scenario", "StoppingRule"]


def __getattr__(name: str) -> object:
    """The laboratory is imported when it is asked for: the engine's twins must not wait for numpy and polars."""
    if name not in __all__:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES.get(name, "sim.experiment")), name)
