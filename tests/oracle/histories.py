"""Random histories: recorded events of several debtors over some months, one seed one history.

Times fall on borders (midnights, `at`, contact hours, deadlines) with fair probability, many events share an instant,
and some are broken on purpose. Approvals, outcomes and liftings need to know what was sent: they are put in after a
look at what the oracle would send for what is there so far (`answers.py`).
"""

import heapq
import json
import random
from pathlib import Path

from .answers import Draft, add_answers
from .happenings import happen, spoil
from .instants import format_instant, parse_instant
from .policy import load_policy
from .world import Data, Debtor, World

POLICIES = Path(__file__).parent / "policies"

# How often what happens, per ledger; measured so that most runs get somewhere and most events are accepted.
EVERYWHERE = {
    "payment": 7,
    "netting": 1.5,
    "reversal": 2.5,
    "promise": 4,
    "instalments": 3,
    "cancel": 1,
    "hold": 4,
    "lift-hold": 2,
    "contact": 5,
    "order": 5,
    "lift": 0.5,
    "attributes": 4,
    "assign": 2,
    "amend": 1,
    "manager": 1,
    "close": 0.3,
    "broken": 3,
    "duplicate": 3,
    "reference": 2,
    "stranger": 0.5,
    "wrong": 1.5,
}
WITH_INVOICES = {"invoice": 16, "adjust": 6, "claim": 5, "close-claim": 3, "balance": 2}
WITH_BALANCE = {"balance": 24, "invoice": 0.5, "adjust": 0.3, "claim": 0.3}


def policy_for(seed: int) -> Path:
    """The policy whose history a seed is, unless another is asked for."""
    policies = sorted(POLICIES.iterdir())
    return policies[seed % len(policies)]


def settled(lines: list[str], days: int = 45) -> str:
    """An instant some time after the last event, for `until`: what is still to come then comes."""
    last = parse_instant(json.loads(lines[-1])["time"])
    return format_instant(last + days * 86400)


def random_history(seed: int, accounts: int, events: int, policy: Path | None = None) -> list[str]:
    """JSON lines sorted by time, at most as many as asked for."""
    path = policy_for(seed) if policy is None else policy
    rng = random.Random(f"history {seed}")
    world = World(rng, load_policy(path), accounts)
    tell(world, max(3 * accounts, events * 2 // 3))
    drafts = world.drafts
    add_answers(rng, path, drafts, limit=events - len(drafts))
    return [draft.line() for draft in sorted(drafts, key=lambda draft: draft.time)]


def tell(world: World, events: int) -> None:
    """Plan what happens to whom, then write it down in order of time, with what follows from it."""
    for debtor in world.debtors:
        begin(world, debtor)
    planned = 3 * len(world.debtors)
    while planned < events * 3 // 4:
        moment = world.moment(world.day())
        for _ in range(world.rng.choice([1, 1, 1, 1, 1, 2, 3])):  # a burst now and then
            debtor = world.rng.choice(world.debtors)
            weights = EVERYWHERE | (WITH_INVOICES if debtor.ledger == "invoices" else WITH_BALANCE)
            kind = world.rng.choices(list(weights), list(weights.values()))[0]
            world.plan(moment, debtor, kind)
            planned += 1
    while world.queue and len(world.drafts) < events:
        world.now, _, debtor, kind, data = heapq.heappop(world.queue)
        write(world, debtor, kind, data)


def begin(world: World, debtor: Debtor) -> None:
    """The account, and a first debt that sometimes overtakes it."""
    first_day = world.start
    arrival = world.moment(first_day) + world.rng.choice([0, 7])
    world.plan(arrival, debtor, "account")
    kind = "invoice" if debtor.ledger == "invoices" else "balance"
    early = world.rng.choice([0, 1, 599, 600, 601, 4000])
    world.plan(arrival - early if world.chance(0.4) else world.moment(world.day()), debtor, kind)
    world.plan(world.moment(world.day()), debtor, kind)


def write(world: World, debtor: Debtor, kind: str, data: Data) -> None:
    type_, said = happen(world, debtor, kind, data)
    if type_ is None:
        return
    sequence = None
    if type_ == "dms.balance.changed.v1":
        debtor.sequence += world.rng.choice([1, 1, 1, 5])
        stale = world.rng.choice([1, 2, 3]) if world.chance(0.1) else 0
        sequence = str(debtor.sequence - stale)
        if world.chance(0.02):
            sequence = None
    draft = Draft(world.now, debtor.subject, type_, said, f"{len(world.drafts)}", sequence)
    if kind == "broken":
        spoil(world, draft)
    if kind == "stranger":
        draft.subject = "ACC-9999"
    if kind == "duplicate" and debtor.sent:
        draft = world.rng.choice(debtor.sent).again(world.now, other_data=said if world.chance(0.3) else None)
    debtor.sent.append(draft)
    world.drafts.append(draft)
