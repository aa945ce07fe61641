"""Random lives of a debtor: whatever may happen to a profile, chosen by plain numbers, so that they shrink and repeat.

A life is a list of steps, each three small numbers: what happens, and two that say how. Most steps are accepted; the
policy has a bit of everything.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from hypothesis import strategies as st

from domain import messages as m
from domain.calendar import DAY, HOUR, MINUTE
from domain.policy import Attribute, Cap, Policy, Prevention, Segment, ServiceSegment
from domain.record import Record
from domain.settled import CLAIM
from domain.snapshot import freeze, thaw
from domain.work import work
from tests.domain.world import (
    ACCEPTED,
    Story,
    attribute,
    block,
    contact,
    file,
    measure,
    overdue_of,
    plan,
    policy,
    remind,
    ring,
    terminate,
)


class Step(NamedTuple):
    """What happens, and two numbers that say how."""

    kind: int
    how: int
    much: int


def rules(version: int = 1) -> Policy:
    """A policy with a bit of everything; the second version has another order and another condition."""
    hour = HOUR
    first = [
        remind(1, params={"language": "ru", "tags": ["a", ["b"]], "rate": 0.5}),
        block(2, confirm_within=hour, retries=1),
        ring(3, when=overdue_of(500 * version), confirm_within=hour),
        measure("visit", "task", 5, business_days=True),
        file(7, approval="head"),
        block(9, name="bar"),
        terminate(30, approval="head"),
    ]
    if version == 2:
        first.insert(3, remind(3, name="again"))
    soft = plan("soft", remind(1), ring(4), block(12), measure("write-off", "write_off", 40), gap=3)
    return policy(
        *first,
        version=version,
        plans=[soft],
        segments=(Segment(name="soft", plan="soft", when=attribute("vip", True)), Segment(name="rest", plan="plan")),
        service_segments=(
            ServiceSegment(name="near", group="g1", when=attribute("region", "SPB")),
            ServiceSegment(name="far", group="g2"),
        ),
        preventions=(
            Prevention(name="low", measure=remind(name="low"), balance_below=100, rearm_at=150),
            Prevention(name="soon", measure=remind(name="soon"), days_before_due=3),
        ),
        contact=contact("08:00-22:00", "09:00-20:00", [Cap(kind="call", per_day=1, per_week=2)]),
        attributes={
            "vip": Attribute(name="vip", type="boolean", default=False),
            "region": Attribute(name="region", type="string"),
            "share": Attribute(name="share", type="number"),
        },
        restore_within=4 * hour,
        min_overdue=100,
        managers={},
    )


class Life(Story):
    """A debtor to whom random things happen. With ``refrozen`` the profile goes through its snapshot at each step."""

    def __init__(self, ledger: str = "invoices", refrozen: bool = False) -> None:
        super().__init__(rules(), ledger=ledger, attributes={"region": "SPB"})
        self.refrozen = refrozen
        self.policy.managers = None
        self.sequence = 0

    def tell(self, make: Callable[..., Record], *values: object) -> str:
        """As in a story; but here even a message that is refused may bring the profile under another policy."""
        refusal = work(self.profile, make(self.now, *values), self.policy, self.facts, self.confirms)
        return refusal.reason if refusal is not None else ACCEPTED

    def live(self, steps: list[Step]) -> "Life":
        for step in steps:
            HAPPENINGS[step.kind % len(HAPPENINGS)](self, step.how, step.much)
            if self.refrozen:
                self.profile = thaw(self.profile.profile_id, freeze(self.profile))
        return self

    @property
    def today(self) -> int:
        return self.policy.zone.day(self.now)

    def pick(self, names: object, how: int, other: str) -> str:
        """One of ``names``, or now and then one that is not among them."""
        known = sorted(names or ())  # type: ignore[call-overload]
        return known[how % len(known)] if known and how % 11 else other


def _time(life: Life, how: int, much: int) -> None:
    life.until_instant(life.now + how * HOUR + much * MINUTE)


def _days(life: Life, how: int, much: int) -> None:
    life.until_instant(life.now + (how % 8) * DAY + much)


def _owes(life: Life, how: int, much: int) -> None:
    due = life.today - 8 + how if how % 5 else None
    life.tell(m.InvoiceIssued, f"I{len(life.profile.ledger.items)}", 1 + much * 37, life.today, due)
    if life.profile.ledger_kind == "balance":
        _has(life, how, much)


def _adjusts(life: Life, how: int, much: int) -> None:
    invoice = life.pick(life.profile.ledger.items, how, "I?")
    life.tell(m.InvoiceAdjusted, invoice, (much - 10) * 53, "goodwill")


def _pays(life: Life, how: int, much: int) -> None:
    life.tell(m.PaymentReceived, f"P{len(life.profile.ledger.payments)}", 1 + much * (13 + how * 7))


def _nets(life: Life, how: int, much: int) -> None:
    life.tell(m.NettingAgreed, f"P{len(life.profile.ledger.payments)}", 1 + much * 31, "act 7")


def _reverses(life: Life, how: int, much: int) -> None:
    life.tell(m.PaymentReversed, life.pick(life.profile.ledger.payments, how, "P?"), "no funds")


def _has(life: Life, how: int, much: int) -> None:
    life.sequence += how % 3
    life.tell(m.BalanceChanged, (much - 12) * 41, life.sequence, "billing" if how % 4 else "crm")


def _claims(life: Life, how: int, much: int) -> None:
    ledger = life.profile.ledger
    name = f"C{len(ledger.claims or ()) + ledger.settled.count(chr(10) + CLAIM)}"
    life.tell(m.ClaimOpened, name, life.pick(life.profile.ledger.items, how, "I?"), 1 + much * 29)


def _settles(life: Life, how: int, much: int) -> None:
    outcome = "upheld" if much % 2 else "rejected"
    life.tell(m.ClaimClosed, life.pick(life.profile.ledger.claims, how, "C?"), outcome)


def _holds(life: Life, how: int, much: int) -> None:
    if how % 3 == 2:
        life.tell(m.HoldLifted, life.pick(life.profile.holds, how, "H?"))
    else:
        life.tell(m.HoldPlaced, f"H{how % 3}", life.today + much % 5, "illness")


def _promises(life: Life, how: int, much: int) -> None:
    life.tell(m.PromiseMade, f"M{len(life.profile.ids or ())}", 1 + much * 20, life.today + how % 6 - 1)


def _agrees(life: Life, how: int, much: int) -> None:
    parts = tuple((life.today + (n * how) % 9 - 1, 1 + much * 10 + n) for n in range(1 + how % 4))
    life.tell(m.InstalmentsAgreed, f"M{len(life.profile.ids or ())}", parts)


def _cancels(life: Life, how: int, much: int) -> None:
    life.tell(m.InstalmentsCancelled, life.pick(life.profile.ids, how, "M?"))


def _contacts(life: Life, how: int, much: int) -> None:
    kind = ("call", "notify", "visit")[how % 3]
    life.tell(m.ContactMade, kind, "out" if much % 4 else "in", "anna", "spoke", "will pay")


def _orders(life: Life, how: int, much: int) -> None:
    life.order(("remind", "block", "ring", "file", "bar", "terminate", "write-off", "dance")[how % 8])


def _decides(life: Life, how: int, much: int) -> None:
    tasks = life.profile.tasks or {}
    task_id = life.pick(tasks, how, "A/1/dance")
    if task_id in tasks and tasks[task_id].why != "approval":
        life.tell(m.TaskDone, task_id, "anna", "done", "")
    elif much % 3:
        life.approve(task_id)
    else:
        life.reject(task_id)


def _answers(life: Life, how: int, much: int) -> None:
    issued = [*(life.profile.outstanding or ()), *life.names()[-3:]]
    command_id = life.pick(issued, how, "A/1/dance")
    if much % 3:
        life.confirm(command_id)
    else:
        life.fail(command_id)


def _lifts(life: Life, how: int, much: int) -> None:
    life.lift(("block", "bar", "remind", "dance")[how % 4])


def _plans(life: Life, how: int, much: int) -> None:
    if how % 2:
        life.tell(m.PlanAssigned, ("soft", "plan", None, "none")[much % 4], "anna", "")
    else:
        life.amend(("remind", "block", "ring", "file", "dance")[how % 5], (True, None, False)[much % 3], much or None)


def _serves(life: Life, how: int, much: int) -> None:
    if how % 3 == 0:
        life.tell(m.ManagerAssigned, ("anna", None)[much % 2], "hanna", "")
    elif how % 3 == 1:
        life.tell(m.GroupAssigned, ("g3", None)[much % 2], "hanna", "")
    else:
        life.tell(m.ManagerChosen, ("bert", None)[much % 2])


def _changes(life: Life, how: int, much: int) -> None:
    values: dict[str, m.AttributeValue] = {"vip": bool(much % 2), "share": much / 8, "unheard": 1}
    if how % 4 == 0:
        values["region"] = None if much % 2 else "SPB"
    projection = "contract" if how % 5 == 0 else None
    life.tell(m.AccountUpdated, projection, None, None, None, "CUST" if how % 7 == 0 else None, values)


def _policy_changes(life: Life, how: int, much: int) -> None:
    other = rules(2 if life.policy.version == 1 else 1)
    other.managers = None
    life.under(other)
    if how % 2:
        life.tell(m.PolicyPublished)


def _lapses(life: Life, how: int, much: int) -> None:
    """The engine was away: deadlines first, then what is due now."""
    life.now += how * DAY
    life.tell(m.Lapse)
    life.tell(m.Wake)


def _closes(life: Life, how: int, much: int) -> None:
    if how == 20 and much > 10:
        life.tell(m.AccountClosed, "left")


# What drives a run comes more often than the rest.
HAPPENINGS: Final[tuple[Callable[[Life, int, int], None], ...]] = (
    _days, _owes, _time, _pays, _days, _answers, _decides, _orders, _owes, _has, _days, _reverses, _adjusts, _claims,
    _settles, _holds, _promises, _agrees, _cancels, _contacts, _lifts, _plans, _serves, _changes, _policy_changes,
    _lapses, _nets, _closes,
)  # fmt: skip

STEPS: Final = st.lists(
    st.builds(Step, st.integers(0, len(HAPPENINGS) - 1), st.integers(0, 20), st.integers(0, 20)), max_size=60
)
LEDGERS: Final = st.sampled_from(["invoices", "balance"])
