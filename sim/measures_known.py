"""The measures of a policy, numbered for counting."""

from typing import Final

import numpy as np

from domain.policy import Measure, Policy
from sim.tally import Command


class MeasuresKnown:
    """``commands`` are all that may be asked for; ``codes`` finds a measure's place there by plan (empty: of none) and
    name. ``reversed_by`` names for each reversal its restriction,
    ``targets`` for each measure of a plan who executes it."""

    def __init__(self, policy: Policy, minor_units: int) -> None:
        self.commands: Final[list[Command]] = []
        self.codes: Final[dict[str, dict[str, int]]] = {"": {}}
        self.reversed_by: Final[dict[str, str]] = {}
        self.targets: Final[dict[str, str]] = {}
        for rule in policy.preventions:
            self._add("", rule.name, "reminder", round(rule.measure.cost * minor_units))
        for plan in policy.plans.values():
            self.codes[plan.name] = {}
            for measure in plan.measures:
                self.targets[measure.name] = measure.target
                self._add(plan.name, measure.name, measure.kind, round(measure.cost * minor_units))
                self._add_reversal(plan.name, measure)
        kinds = sorted({command.kind for command in self.commands})
        self.kind_names: Final = kinds
        self.kinds: Final = np.array([kinds.index(command.kind) for command in self.commands], dtype=np.int64)
        """The place of each command's kind among ``kind_names``."""

    def _add_reversal(self, plan: str, measure: Measure) -> None:
        if measure.reverse is not None:
            self.reversed_by[measure.reverse] = measure.name
            # One name may reverse several restrictions; one without a run is of no plan.
            for place in (plan, ""):
                if measure.reverse not in self.codes[place]:
                    self._add(place, measure.reverse, "restore", 0)

    def _add(self, plan: str, name: str, kind: str, cost: int) -> None:
        self.codes[plan][name] = len(self.commands)
        self.commands.append(Command(name, kind, cost))
