"""Events that answer what was sent: approvals, outcomes, liftings, and whatever collides with a timer.

What was sent is asked of the oracle, on the history so far, several times over.
"""

import json
import random
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from .instants import Instant, format_instant, parse_instant
from .policy import Policy, load_policy
from .reference import play

ROUNDS = 6
DELAYS_SECONDS = [0, 0, 1, 60, 599, 1200, 1800, 3600, 5400, 14400, 50000, 86400, 200000, 700000]


@dataclass(eq=False)
class Draft:
    """An event of a history that is still being written."""

    time: Instant
    subject: str
    type: str
    data: Any
    id: str
    sequence: str | None = None

    def line(self) -> str:
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"e-{self.id}",
            "source": "billing",
            "type": self.type,
            "subject": self.subject,
            "time": format_instant(self.time),
        }
        if self.sequence is not None:
            event["sequence"] = self.sequence
        if self.data is not None:
            event["data"] = self.data
        return json.dumps(event, ensure_ascii=False)

    def again(self, now: Instant, other_data: Any) -> "Draft":
        """A duplicate: the same id and source, with the same data or other."""
        data = self.data if other_data is None else other_data
        return Draft(now, self.subject, self.type, data, self.id, self.sequence)


def add_answers(rng: random.Random, path: Path, drafts: list[Draft], limit: int) -> None:
    """Add up to `limit` events to the history, in rounds.

    Each round looks at what the history so far would send in one part of its time, and answers later than that.
    """
    policy = load_policy(path)
    answered: set[tuple[str, str]] = set()
    start, end = min(draft.time for draft in drafts), max(draft.time for draft in drafts)
    added = 0
    for round_ in range(1, ROUNDS + 1):
        lines = [draft.line() for draft in sorted(drafts, key=lambda draft: draft.time)]
        sent = play(path, lines, until=format_instant(end), confirm=rng.random() < 0.5)
        part = [start + (end - start) * n / ROUNDS for n in (round_ - 1, round_)]
        sent = [outgoing for outgoing in sent if part[0] <= parse_instant(outgoing["time"]) < part[1]]
        rng.shuffle(sent)
        for outgoing in sent:
            if added >= limit * round_ // ROUNDS:
                break
            draft = _answer(rng, policy, outgoing, f"a{added}", answered)
            if draft is not None and draft.time <= end:
                # Somewhere among the events of its instant, not always the last of them.
                drafts.insert(rng.randint(0, len(drafts)), draft)
                added += 1


def _answer(
    rng: random.Random, policy: Policy, outgoing: dict[str, Any], id_: str, answered: set[tuple[str, str]]
) -> Draft | None:
    type_, data = outgoing["type"], outgoing["data"]
    time = parse_instant(outgoing["time"])
    key = (type_, str(data.get("command_id") or outgoing["time"]))
    if key in answered:
        return None
    answered.add(key)
    by_hand = {"actor": "petrov", "note": "seen"}
    later = time + rng.choice(DELAYS_SECONDS) + Fraction(rng.choice([0, 0, 0, 500]), 1000)
    chance = rng.random()
    said: tuple[str, dict[str, Any]] | None = None
    if type_ == "dms.task.opened.v1" and data["why"] == "approval":
        decision = "rejected" if chance < 0.25 else "approved"
        said = (f"dms.measure.{decision}.v1", {"command_id": data["command_id"], **by_hand})
    elif type_ == "dms.task.opened.v1" and chance < 0.5:
        said = ("dms.task.done.v1", {"task_id": data["task_id"], "outcome": "done", **by_hand})
    elif type_ == "dms.measure.requested.v1":
        if chance < 0.3:
            said = ("dms.measure.completed.v1", {"command_id": data["command_id"], "detail": "ok"})
        elif chance < 0.5:
            said = ("dms.measure.failed.v1", {"command_id": data["command_id"], "detail": "no answer"})
        elif chance < 0.6 and data["kind"] == "restrict":
            said = ("dms.restriction.lifted.v1", {"measure": data["measure"], **by_hand})
    elif type_ == "dms.run.opened.v1" and chance < 0.3:
        measures = [measure.name for measure in policy.plans[data["plan"]].measures]
        change: dict[str, Any] = rng.choice([{"skip": True}, {"day": rng.randint(0, 20)}])
        changes = [{"measure": rng.choice(measures), **change}]
        said = ("dms.plan.amended.v1", {"changes": changes, **by_hand})
    elif type_ == "dms.run.opened.v1" and chance < 0.6:
        later += rng.choice([0, 86400, 500000])
        said = ("dms.plan.assigned.v1", {"plan": rng.choice(list(policy.plans)), **by_hand})
    elif type_ == "dms.run.opened.v1" and policy.attributes:
        later += rng.choice([0, 86400, 500000])
        said = ("dms.account.updated.v1", {"attributes": _other_attributes(rng, policy)})
    if said is None and chance > 0.8:  # at the very instant of a timer: messages come first
        later = time
        amount = data.get("overdue") or 1000
        until = outgoing["time"][:10]
        said = rng.choice(
            [
                ("dms.payment.received.v1", {"payment_id": f"P-{id_}", "amount": amount}),
                ("dms.payment.received.v1", {"payment_id": f"P-{id_}", "amount": max(1, amount - 1)}),
                ("dms.hold.placed.v1", {"hold_id": f"H-{id_}", "until": until, "reason": "call"}),
                ("dms.promise.made.v1", {"promise_id": f"PR-{id_}", "amount": amount, "pay_by": until}),
                ("dms.plan.assigned.v1", {"plan": None, **by_hand}),
                ("dms.contact.made.v1", {"kind": "call", "direction": "out", "outcome": "no answer", **by_hand}),
                ("dms.measure.ordered.v1", {"measure": data.get("measure") or "block", **by_hand}),
            ]
        )
    if said is None:
        return None
    return Draft(later, outgoing["subject"], said[0], said[1], id_)


def _other_attributes(rng: random.Random, policy: Policy) -> dict[str, Any]:
    """One attribute with a value that may lead to another segment."""
    name = rng.choice(list(policy.attributes))
    match policy.attributes[name].type:
        case "enum":
            return {name: rng.choice(policy.attributes[name].values)}
        case "integer":
            return {name: rng.choice([1, 7, 20, 90])}
        case "boolean":
            return {name: rng.random() < 0.5}
        case "number":
            return {name: rng.choice([1, 2.5])}
        case "date":
            return {name: rng.choice(["2020-02-29", "2026-07-01"])}
    return {name: rng.choice(["SPB", "BE", "HH"])}
