"""Whatever is wrong in a store is found, and nothing else is: one line each, with the profile."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from adapters.sqlite_reader import SqliteReader
from adapters.sqlite_store import SqliteStore
from adapters.state_codec import decode_state, encode_fact, encode_state
from adapters.verify import verify
from domain import messages as m
from domain.calendar import HOUR, NEVER
from domain.events import MeasureRequested, RunOpened
from domain.journal import rebuild
from domain.ledger import Payment
from domain.profile import Pending, Profile
from domain.record import Record
from domain.snapshot import freeze, thaw
from engine.ports import HeldEvent, JournalEntry, OutgoingEvent, ProfileRow, StoreReader, Transaction
from sim.store import MemoryStore
from tests.domain.wild_story import LEDGERS, STEPS, Life, Step


def written(profile_id: str, facts: list[Record], profile: Profile) -> Transaction:
    """The commit by which a profile of these facts is stored."""
    profile.version = len(facts)
    row = ProfileRow(
        profile_id,
        profile.version,
        freeze(profile),
        profile.wake_at if profile.wake_at < NEVER else None,
        profile.policy_segment,
        profile.service_segment,
        profile.closed,
        None if profile.closed else profile.policy_version,
    )
    return Transaction(profiles=[row], journal=[JournalEntry(profile_id, n, fact) for n, fact in enumerate(facts, 1)])


def debtor() -> Life:
    """In a run, with a restriction, a task that waits for approval, a claim, a payment and a prepayment behind it."""
    life = Life().owes(1000, "03-02").owes(700, "03-05", "I2").pays(900, "P1")
    life.until("03-16 12:00")
    life.confirm("A/1/block")
    assert life.tell(m.ClaimOpened, "C1", "I2", 50) == "accepted"
    assert life.tell(m.PromiseMade, "M1", 500, life.today + 3) == "accepted"
    assert life.profile.tasks is not None
    assert "A/1/file" in life.profile.tasks
    return life


def quiet() -> Life:
    """Has paid, and more than that."""
    return Life().owes(300, "03-20").pays(400, "P1").pays(20, "P2")


def gone() -> Life:
    """Closed, with a debt on record."""
    life = Life().owes(1000, "03-02").until("03-04 12:00")
    assert life.tell(m.AccountClosed, "left") == "accepted"
    return life


def by_balance() -> Life:
    """With a balance instead of invoices."""
    return Life("balance").has(-500).until("03-12 12:00")


LIVES: dict[str, Callable[[], Life]] = {"A": debtor, "QUIET": quiet, "GONE": gone, "BALANCE": by_balance}


@dataclass
class Damaged:
    """A store on which things go wrong."""

    path: Path

    def sql(self, sql: str, *values: object) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            assert connection.execute(sql, values).rowcount != 0
        connection.close()

    def profile(self, profile_id: str, damage: Callable[[Profile], object]) -> None:
        """Changes a state behind the journal's back."""
        connection = sqlite3.connect(self.path)
        (body,) = connection.execute("SELECT state FROM profiles WHERE profile_id = ?", (profile_id,)).fetchone()
        connection.close()
        profile = thaw(profile_id, decode_state(body))
        damage(profile)
        self.sql("UPDATE profiles SET state = ? WHERE profile_id = ?", encode_state(freeze(profile)), profile_id)

    def findings(self) -> list[str]:
        reader = SqliteReader(self.path)
        with reader.standing_still():
            found = verify(reader)
        reader.close()
        return found


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Damaged]:
    path = tmp_path / "dms.db"
    store = SqliteStore(path)
    for profile_id, live in LIVES.items():
        life = live()
        life.profile = renamed(profile_id, life)
        store.commit(written(profile_id, life.facts, life.profile))
    store.commit(Transaction(held=[HeldEvent("NEW", 1, 1, b"{}")]))
    for number, state in enumerate(("pending", "held", "pending")):
        breaker = "restrict" if state == "held" else None
        store.commit(Transaction(outbox=[OutgoingEvent("A", f"A/{number}", 1, "x", b"{}", state, breaker)]))
    yield Damaged(path)
    store.close()


def renamed(profile_id: str, life: Life) -> Profile:
    """The story's debtor is called A; the same profile under another id."""
    if profile_id == "A":
        return life.profile
    for number, fact in enumerate(life.facts):
        values = [each.replace("A/", f"{profile_id}/") if isinstance(each, str) else each for each in fact.values()]
        life.facts[number] = type(fact)(*values)
    profile = rebuild(profile_id, life.facts)
    profile.wake_at = life.profile.wake_at
    return profile


def shift_fact(damaged: Damaged) -> None:
    damaged.sql("UPDATE journal SET number = number + 100 WHERE profile_id = 'A' AND number > 5")


def replace_fact(number: int, fact: Record, profile_id: str = "A") -> Callable[[Damaged], None]:
    name, at, body = encode_fact(fact)

    def change(damaged: Damaged) -> None:
        sql = "UPDATE journal SET fact = ?, at = ?, body = ? WHERE profile_id = ? AND number = ?"
        damaged.sql(sql, name, at, body, profile_id, number)

    return change


def on(profile_id: str, damage: Callable[[Profile], object]) -> Callable[[Damaged], None]:
    return lambda damaged: damaged.profile(profile_id, damage)


def sql(text: str) -> Callable[[Damaged], None]:
    return lambda damaged: damaged.sql(text)


def raise_left(profile: Profile) -> None:
    profile.ledger.items["I2"].left += 1


def sink_left(profile: Profile) -> None:
    profile.ledger.items["I2"].left = -5


def dispute_more(profile: Profile) -> None:
    profile.ledger.items["I2"].claimed += 1


def spend_twice(profile: Profile) -> None:
    profile.ledger.payments["P1"].rest += 1


def lose_money(profile: Profile) -> None:
    profile.ledger.payments["P1"].rest = -3


def pay_from_nothing(profile: Profile) -> None:
    profile.ledger.credits = [Payment(None, profile.ledger.arrivals, 10, 10)]


def arrive_together(profile: Profile) -> None:
    profile.ledger.arrivals = 1


def move_balance(profile: Profile) -> None:
    profile.balance = -499


def open_second_run(profile: Profile) -> None:
    profile.runs += 1


def fire_again(profile: Profile) -> None:
    assert profile.run is not None
    profile.run.fired += ("block",)


def fire_unheard(profile: Profile) -> None:
    assert profile.run is not None
    profile.run.fired += ("dance",)


def wait_twice(profile: Profile) -> None:
    assert profile.pending is not None
    waiting = profile.pending[0]
    profile.pending.append(Pending(waiting.measure, waiting.plan, waiting.command_id, False, False, True))


def forget_task(profile: Profile) -> None:
    profile.tasks = None


def forget_waiting(profile: Profile) -> None:
    profile.pending = None


def send_unheard(profile: Profile) -> None:
    assert profile.outstanding is not None
    profile.outstanding["A/7/dance"] = sent = next(iter(profile.outstanding.values()))
    values = list(sent.command.values())
    values[1] = "A/7/dance"
    profile.outstanding["A/7/dance"] = type(sent)(MeasureRequested(*values), NEVER)  # type: ignore[arg-type]


def go_on_closed(profile: Profile) -> None:
    profile.pending = [Pending("block", "plan", "", True, True, False)]


def wake_later(profile: Profile) -> None:
    profile.wake_at += HOUR


def publish_more(profile: Profile) -> None:
    profile.published += 1


def contact_never(profile: Profile) -> None:
    profile.contacts = {"visit": ()}


PLANTED: dict[str, tuple[Callable[[Damaged], None], str, str]] = {
    "a state cut off": (sql("UPDATE profiles SET state = x'91' WHERE profile_id = 'A'"), "A", "state cannot be read"),
    "a state of nothing": (sql("UPDATE profiles SET state = x'90' WHERE profile_id = 'A'"), "A", "cannot be read"),
    "a state of another shape": (
        sql("UPDATE profiles SET state = x'9101' WHERE profile_id = 'A'"),
        "A",
        "state cannot be read: ValueError",
    ),
    "a newer state": (sql("UPDATE profiles SET state = x'9109' WHERE profile_id = 'A'"), "A", "has format 9"),
    "another version": (sql("UPDATE profiles SET version = 3 WHERE profile_id = 'A'"), "A", "version is stored as 3"),
    "another segment": (
        sql("UPDATE profiles SET policy_segment = 'x' WHERE profile_id = 'A'"),
        "A",
        "policy segment is stored as 'x', its state says 'rest'",
    ),
    "another service": (
        sql("UPDATE profiles SET service_segment = NULL WHERE profile_id = 'A'"),
        "A",
        "service segment is stored as None, its state says 'near'",
    ),
    "a policy too early": (
        sql("UPDATE profiles SET policy_version = policy_version + 1 WHERE profile_id = 'A'"),
        "A",
        "policy version is stored as 2, its state says 1",
    ),
    "closed by the store": (
        sql("UPDATE profiles SET is_closed = 1 WHERE profile_id = 'A'"),
        "A",
        "closed is stored as True, its state says False",
    ),
    "a timer lost": (sql("DELETE FROM timers WHERE profile_id = 'A'"), "A", "timer is stored as None"),
    "a timer moved": (sql("UPDATE timers SET wake_at = 1 WHERE profile_id = 'A'"), "A", "timer is stored as 1"),
    "a timer after the end": (
        sql("INSERT INTO timers VALUES ('GONE', (SELECT shard FROM profiles WHERE profile_id = 'GONE'), 5)"),
        "GONE",
        "it is closed and has a timer",
    ),
    "a timer of nobody": (sql("INSERT INTO timers VALUES ('X', 1, 5)"), "X", "timers without a profile"),
    "a profile lost": (sql("DELETE FROM profiles WHERE profile_id = 'QUIET'"), "QUIET", "journal without a profile"),
    "an event held in vain": (
        sql("INSERT INTO held VALUES ('A', 1, 1, 5, x'')"),
        "A",
        "events are held for its account, which is there",
    ),
    "a fact lost": (
        sql("DELETE FROM journal WHERE profile_id = 'A' AND number = 5"),
        "A",
        "journal: 5 is missing, 6 comes next",
    ),
    "the last fact lost": (
        sql(
            "DELETE FROM journal WHERE profile_id = 'QUIET' AND number = (SELECT version FROM profiles "
            "WHERE profile_id = 'QUIET')"
        ),
        "QUIET",
        "journal: it ends at",
    ),
    "all facts lost": (sql("DELETE FROM journal WHERE profile_id = 'A'"), "A", "journal: it ends at 0"),
    "facts renumbered": (shift_fact, "A", "journal: 6 is missing, 106 comes next"),
    "a fact of no kind": (
        sql("UPDATE journal SET fact = 'Nonsense' WHERE profile_id = 'A' AND number = 5"),
        "A",
        "journal: after 4 comes what cannot be read: no fact is called 'Nonsense'",
    ),
    "a fact cut off": (
        sql("UPDATE journal SET body = x'90' WHERE profile_id = 'A' AND number = 1"),
        "A",
        "journal: after 0 comes what cannot be read: no AccountUpdated",
    ),
    "a fact that cannot be": (
        replace_fact(5, m.PaymentReversed(1, "P99", "x")),
        "A",
        "journal: 5, PaymentReversed, cannot follow what is before it: KeyError: 'P99'",
    ),
    "a fact that is another": (
        replace_fact(4, m.InvoiceIssued(1, "I1", 301, 1, 739_000), "QUIET"),
        "QUIET",
        "journal: its facts make another profile",
    ),
    "a run within a run": (
        replace_fact(9, RunOpened(1, 2, "A/2", "plan", 1, 1, 1)),
        "A",
        "cannot follow what is before it",
    ),
    "more left than the journal says": (on("A", raise_left), "A", "its facts make another profile"),
    "money from nowhere": (on("A", raise_left), "A", "journal: its money adds up to -800, the balance is -801"),
    "less than nothing left": (on("A", sink_left), "A", "item 'I2' has -5 left"),
    "more disputed than is": (on("A", dispute_more), "A", "51 counts as disputed, open claims are 50"),
    "a payment larger than itself": (on("QUIET", spend_twice), "QUIET", "payment 'P1' of 400 paid 300, has 101 left"),
    "a payment below zero": (on("QUIET", lose_money), "QUIET", "payment 'P1' is 400, of which -3 is left"),
    "a prepayment beside a debt": (on("A", pay_from_nothing), "A", "10 is prepaid while 800 is unpaid"),
    "arrivals that meet": (on("A", arrive_together), "A", "do not have arrivals of their own"),
    "a balance that is not its item's": (on("BALANCE", move_balance), "BALANCE", "the balance is -499"),
    "a run that was never opened": (on("A", open_second_run), "A", "it counts 2 runs: 0 are closed, one is open"),
    "a measure fired twice": (on("A", fire_again), "A", "measure 'block' counts twice as fired in run A/1"),
    "a measure fired unheard": (on("A", fire_unheard), "A", "measure 'dance' fired in run A/1 without a command"),
    "a measure that waits twice": (on("A", wait_twice), "A", "measure 'A/1/file' waits twice"),
    "a measure that nobody is asked about": (on("A", forget_task), "A", "'A/1/file' waits for approval without a task"),
    "a question about nothing": (on("A", forget_waiting), "A", "'A/1/file' waits for approval as a task only"),
    "a command never sent": (on("A", send_unheard), "A", "command 'A/7/dance' was never sent"),
    "something that waits after the end": (on("GONE", go_on_closed), "GONE", "it is closed and has measures that wait"),
    "another wake-up": (on("A", wake_later), "A", "timer is stored as"),
    "events that were never published": (on("A", publish_more), "A", "of its facts are published"),
    "contacts that never were": (on("A", contact_never), "A", "contacts of kind 'visit' are counted"),
    "an outgoing event in no state": (
        sql("UPDATE outbox SET state = 'lost' WHERE event_id = 'A/0'"),
        "A",
        "outgoing event 'A/0' is 'lost'",
    ),
    "an outgoing event held by nobody": (
        sql("UPDATE outbox SET breaker = NULL WHERE event_id = 'A/1'"),
        "A",
        "outgoing event 'A/1' is held by None",
    ),
    "an outgoing event that waits twice": (
        sql("UPDATE outbox SET event_id = 'A/0', shard = shard + 1 WHERE event_id = 'A/2'"),
        "A",
        "outgoing event 'A/0' is there twice",
    ),
}


def test_a_sound_store_has_no_findings(damaged: Damaged) -> None:
    assert damaged.findings() == []


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_wrong_is_found_where_it_is_and_nowhere_else(damaged: Damaged, planted: str) -> None:
    plant, profile_id, expected = PLANTED[planted]
    plant(damaged)
    findings = damaged.findings()
    assert any(expected in finding for finding in findings), findings
    assert all(finding.startswith(f"{profile_id}: ") and "\n" not in finding for finding in findings), findings


@given(LEDGERS, STEPS)
@settings(max_examples=100, deadline=None)
def test_no_life_leads_to_a_finding(ledger: str, steps: list[Step]) -> None:
    life = Life(ledger).live(steps)
    store = MemoryStore()
    store.claim(range(store.shards))
    store.commit(written("A", life.facts, life.profile))
    assert verify(store.reader()) == []


def test_a_journal_whose_beginning_was_put_elsewhere_is_checked_as_far_as_it_goes(damaged: Damaged) -> None:
    damaged.sql("DELETE FROM journal WHERE profile_id = 'A' AND number < 7")
    assert damaged.findings() == []
    damaged.sql("DELETE FROM journal WHERE profile_id = 'A' AND number = 9")
    assert damaged.findings() == ["A: journal: 9 is missing, 10 comes next"]


def test_the_list_of_findings_ends_somewhere() -> None:
    store = MemoryStore()
    store.claim(range(store.shards))
    for number in range(20):
        life = quiet()
        transaction = written(f"ACC-{number}", life.facts, life.profile)
        transaction.profiles[0] = replace(transaction.profiles[0], is_closed=True)
        store.commit(transaction)
    reader: StoreReader = store.reader()
    assert len(verify(reader)) == 20
    assert verify(reader, findings_max=3)[3:] == ["and more than these 3"]
