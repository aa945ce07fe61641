"""What every store promises, in sentences. `test_store` applies it to each of them."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from domain.calendar import DAY
from domain.messages import AccountClosed, AccountUpdated, InvoiceIssued, PaymentReceived
from domain.record import Record
from engine.ports import (
    HeldEvent,
    JournalEntry,
    OutgoingEvent,
    ProfileRow,
    QuarantinedEvent,
    StandsStill,
    State,
    Store,
    StoreConflict,
    StoreReader,
    Transaction,
)

STATE: State = (1, ("account", None, {"region": "СПб", "days": [1, 2.5, True]}), (), ((1, -(2**62)), ("x",)), 2**62)
ODD_IDS = ("ACC-1", "Счёт №1", "'; DROP TABLE profiles; --", "a\\b\t", "a" * 300, "😀")


@dataclass
class World:
    """A store under test, the side of it that looks, and how to open it again after it was closed."""

    store: Store
    reader: StoreReader
    reopen: Callable[[], Store]


def row(
    profile_id: str, version: int, wake_at: int | None = None, state: State = STATE, is_closed: bool = False
) -> ProfileRow:
    return ProfileRow(profile_id, version, state, wake_at, "everyone", None, is_closed)


def facts(profile_id: str, numbers: Iterable[int], at: int = 100) -> list[JournalEntry]:
    return [JournalEntry(profile_id, n, PaymentReceived(at + n, f"{profile_id}-{n}", n)) for n in numbers]


def begun(profile_id: str, wake_at: int | None = None, is_closed: bool = False) -> Transaction:
    """A profile's first commit: one fact."""
    return Transaction(profiles=[row(profile_id, 1, wake_at, is_closed=is_closed)], journal=facts(profile_id, [1]))


def moved(profile_id: str, version: int, wake_at: int | None) -> Transaction:
    """A later commit of one fact."""
    return Transaction(profiles=[row(profile_id, version, wake_at)], journal=facts(profile_id, [version]))


def worked(transaction: Transaction, policy_version: int | None) -> Transaction:
    """The same commit, under a policy version."""
    rows = [replace(each, policy_version=policy_version) for each in transaction.profiles]
    return replace(transaction, profiles=rows)


def outgoing(event_id: str, breaker: str | None = None, at: int = 5) -> OutgoingEvent:
    return OutgoingEvent("ACC-1", event_id, at, "measure.x.y", b"{}", "held" if breaker else "pending", breaker)


def ids(events: Iterable[OutgoingEvent]) -> list[str]:
    return [event.event_id for event in events]


class StoreContract:
    """Apply it by a fixture ``world`` that opens an empty store."""

    def test_an_event_is_seen_once_it_is_committed(self, world: World) -> None:
        assert world.store.seen([("billing", "1")]) == set()
        world.store.commit(Transaction(inbox=[("billing", "1", 7)]))
        assert world.store.seen([("billing", "1"), ("billing", "2"), ("crm", "1")]) == {("billing", "1")}

    def test_thousands_of_events_are_asked_for_at_once(self, world: World) -> None:
        world.store.commit(Transaction(inbox=[("billing", str(n), n) for n in range(0, 3_000, 2)]))
        keys = [(source, str(n)) for n in range(3_000) for source in ("billing", "crm")]
        assert world.store.seen(keys) == {("billing", str(n)) for n in range(0, 3_000, 2)}

    def test_an_event_that_was_seen_fails_the_commit_and_nothing_of_it_is_written(self, world: World) -> None:
        world.store.commit(Transaction(inbox=[("billing", "1", 7)]))
        transaction = begun("ACC-1", wake_at=9)
        transaction.inbox.extend([("billing", "0", 8), ("billing", "1", 8)])
        transaction.outbox.append(outgoing("e1"))
        transaction.held.append(HeldEvent("ACC-2", 1, 8, b""))
        transaction.quarantined.append(QuarantinedEvent("ACC-3", 1, 8, b"", "why"))
        transaction.desks["north"] = (1,)
        with pytest.raises(StoreConflict):
            world.store.commit(transaction)
        assert world.store.seen([("billing", "0")]) == set()
        assert world.store.load(["ACC-1", "ACC-2", "ACC-3"]) == {}
        assert (world.store.pending(9), world.store.due(99, 9), world.store.desks()) == ([], [], {})
        assert sum(world.reader.counts().values()) == 1
        assert world.store.last_instant() == 7

    def test_the_same_event_twice_in_a_transaction_fails_it(self, world: World) -> None:
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(inbox=[("billing", "1", 7), ("billing", "1", 8)]))
        assert world.store.seen([("billing", "1")]) == set()

    def test_an_empty_transaction_changes_nothing(self, world: World) -> None:
        world.store.commit(Transaction())
        assert (sum(world.reader.counts().values()), world.store.last_instant()) == (0, 0)

    def test_a_profile_is_loaded_as_it_was_committed(self, world: World) -> None:
        world.store.commit(begun("ACC-1"))
        loaded = world.store.load(["ACC-1", "ACC-9"])
        assert set(loaded) == {"ACC-1"}
        assert (loaded["ACC-1"].version, loaded["ACC-1"].held, loaded["ACC-1"].is_quarantined) == (1, (), False)
        assert repr(loaded["ACC-1"].state) == repr(STATE)

    def test_ids_may_be_anything(self, world: World) -> None:
        for profile_id in ODD_IDS:
            world.store.commit(begun(profile_id, wake_at=1))
            world.store.commit(Transaction(inbox=[(profile_id, profile_id, 1)]))
        assert set(world.store.load(ODD_IDS)) == set(ODD_IDS)
        assert {profile_id for profile_id, _ in world.store.due(1, 99)} == set(ODD_IDS)
        assert len(world.store.seen([(each, each) for each in ODD_IDS])) == len(ODD_IDS)
        for profile_id in ODD_IDS:
            assert [entry.number for entry in world.reader.journal(profile_id)] == [1]

    def test_thousands_of_profiles_are_loaded_at_once(self, world: World) -> None:
        some = [f"ACC-{n}" for n in range(0, 1_000, 3)]
        rows = [row(profile_id, 1) for profile_id in some]
        journal = [entry for profile_id in some for entry in facts(profile_id, [1])]
        world.store.commit(Transaction(profiles=rows, journal=journal))
        assert list(world.store.load([f"ACC-{n}" for n in range(1_000)])) == some

    def test_a_profile_follows_its_stored_version_by_as_many_facts_as_come_with_it(self, world: World) -> None:
        world.store.commit(begun("ACC-1"))
        world.store.commit(Transaction(profiles=[row("ACC-1", 4)], journal=facts("ACC-1", [2, 3, 4])))
        assert world.store.load(["ACC-1"])["ACC-1"].version == 4
        assert [entry.number for entry in world.reader.journal("ACC-1")] == [1, 2, 3, 4]

    def test_a_profile_may_change_its_timer_without_a_fact(self, world: World) -> None:
        world.store.commit(begun("ACC-1", wake_at=5))
        world.store.commit(Transaction(profiles=[row("ACC-1", 1, wake_at=6)]))
        assert world.store.due(99, 9) == [("ACC-1", 6)]

    @pytest.mark.parametrize(
        ("version", "numbers"),
        [(1, [1]), (2, [2]), (3, [3]), (5, [5]), (7, [6, 7]), (2, []), (4, [])],
        ids=["begins again", "overtaken", "same version", "skips one", "skips one by two", "behind", "ahead"],
    )
    def test_a_version_that_does_not_follow_fails_the_commit(
        self, world: World, version: int, numbers: list[int]
    ) -> None:
        world.store.commit(Transaction(profiles=[row("ACC-1", 3)], journal=facts("ACC-1", [1, 2, 3])))
        world.store.commit(begun("ACC-2"))
        stale = Transaction(inbox=[("billing", "1", 7)], profiles=[row("ACC-2", 2), row("ACC-1", version)])
        stale.journal.extend(facts("ACC-2", [2]) + facts("ACC-1", numbers))
        with pytest.raises(StoreConflict):
            world.store.commit(stale)
        assert {each: loaded.version for each, loaded in world.store.load(["ACC-1", "ACC-2"]).items()} == {
            "ACC-1": 3,
            "ACC-2": 1,
        }
        assert world.store.seen([("billing", "1")]) == set()

    def test_a_profile_that_nobody_began_cannot_go_on(self, world: World) -> None:
        with pytest.raises(StoreConflict):
            world.store.commit(moved("ACC-1", 2, None))
        assert world.store.load(["ACC-1"]) == {}

    def test_of_a_profile_that_comes_twice_the_last_row_counts(self, world: World) -> None:
        transaction = Transaction(profiles=[row("ACC-1", 1, 5), row("ACC-1", 3, 7)], journal=facts("ACC-1", [1, 2, 3]))
        world.store.commit(transaction)
        assert world.store.load(["ACC-1"])["ACC-1"].version == 3
        assert world.store.due(99, 9) == [("ACC-1", 7)]

    def test_a_fact_of_the_same_number_fails_the_commit(self, world: World) -> None:
        world.store.commit(Transaction(journal=facts("ACC-1", [1])))
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(journal=facts("ACC-1", [1])))
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(journal=facts("ACC-1", [2, 2])))

    def test_facts_come_back_in_order_and_equal(self, world: World) -> None:
        changed: list[Record] = [
            AccountUpdated(1, "account", "person", "RUB", None, None, {"vip": True, "share": 0.1, "since": None}),
            PaymentReceived(2, "p", 2**62),
        ]
        entries = [JournalEntry("ACC-1", number, fact) for number, fact in enumerate(changed, 1)]
        world.store.commit(Transaction(journal=entries[::-1]))
        assert list(world.reader.journal("ACC-1")) == entries
        assert list(world.reader.journal("ACC-2")) == []

    def test_facts_of_some_kinds_come_in_order_of_time_over_all_profiles(self, world: World) -> None:
        """Also over months, and over more than is read at once."""
        month = 31 * DAY
        spread = [
            JournalEntry(f"ACC-{n % 7}", n // 7 + 1, PaymentReceived((n * 37 % 100) * month // 10, f"p{n}", 1))
            for n in range(2_100)
        ]
        others = [
            JournalEntry("ACC-8", 1, AccountUpdated(month, "account", "person", "RUB", None, None, {})),
            JournalEntry("ACC-8", 2, AccountClosed(month, "moved")),
        ]
        world.store.commit(Transaction(journal=[*spread, *others]))
        in_order = sorted(spread, key=lambda entry: (entry.fact.at, entry.profile_id, entry.number))
        assert list(world.reader.history([PaymentReceived])) == in_order
        both = [*world.reader.history([AccountUpdated, AccountClosed])]
        assert both == others
        assert list(world.reader.history([InvoiceIssued])) == []

    def test_timers_come_earliest_first_up_to_and_including_the_instant(self, world: World) -> None:
        for profile_id, wake_at in (("ACC-3", 30), ("ACC-1", 20), ("ACC-2", 20), ("ACC-0", 31), ("ACC-9", None)):
            world.store.commit(begun(profile_id, wake_at=wake_at))
        assert world.store.due(30, 9) == [("ACC-1", 20), ("ACC-2", 20), ("ACC-3", 30)]
        assert world.store.due(30, 2) == [("ACC-1", 20), ("ACC-2", 20)]
        assert world.store.due(19, 9) == []

    def test_a_timer_moves_and_goes_with_its_profile(self, world: World) -> None:
        world.store.commit(begun("ACC-1", wake_at=20))
        world.store.commit(moved("ACC-1", 2, 10))
        assert world.store.due(99, 9) == [("ACC-1", 10)]
        assert world.reader.wake_at("ACC-1") == 10
        world.store.commit(moved("ACC-1", 3, None))
        assert world.store.due(99, 9) == []
        assert world.reader.wake_at("ACC-1") is None
        world.store.commit(moved("ACC-1", 4, 15))
        assert world.store.due(99, 9) == [("ACC-1", 15)]

    def test_outgoing_events_wait_in_the_order_of_their_commits_until_they_are_sent(self, world: World) -> None:
        world.store.commit(Transaction(outbox=[outgoing("z"), outgoing("a")]))
        world.store.commit(Transaction(outbox=[outgoing("m")]))
        assert world.store.pending(2) == [outgoing("z"), outgoing("a")]
        world.store.mark_sent(["z", "m", "never heard of"])
        assert ids(world.store.pending(9)) == ["a"]
        world.store.commit(Transaction(outbox=[outgoing("b")]))
        assert ids(world.store.pending(9)) == ["a", "b"]
        world.store.mark_sent([])
        world.store.mark_sent(["a", "b"])
        world.store.commit(Transaction(outbox=[outgoing("c")]))
        assert ids(world.store.pending(9)) == ["c"]

    @pytest.mark.parametrize(("count", "size"), [(10_000, 3_000), (1, 30_000_000)], ids=["many", "one"])
    def test_thirty_megabytes_are_one_transaction_like_any_other(self, world: World, count: int, size: int) -> None:
        events = [replace(outgoing(str(n), "restrict"), body=b"%d" % n + b"x" * size) for n in range(count)]
        world.store.commit(Transaction(outbox=events))
        assert world.store.withheld() == events
        world.store.commit(Transaction(let_go=ids(events)))
        assert ids(world.store.pending(count)) == ids(events)
        world.store.mark_sent(ids(events))
        assert world.store.pending(1) == []

    def test_the_same_outgoing_event_again_fails_the_commit(self, world: World) -> None:
        world.store.commit(Transaction(outbox=[outgoing("a")]))
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(outbox=[outgoing("b"), outgoing("a")]))
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(outbox=[outgoing("c"), outgoing("c")]))
        assert ids(world.store.pending(9)) == ["a"]

    def test_events_held_by_a_breaker_wait_until_they_are_let_go_in_their_place(self, world: World) -> None:
        events = [outgoing("a"), outgoing("b", "restrict"), outgoing("c", "terminate"), outgoing("d")]
        world.store.commit(Transaction(outbox=events))
        assert ids(world.store.pending(9)) == ["a", "d"]
        assert world.store.withheld() == [outgoing("b", "restrict"), outgoing("c", "terminate")]
        world.store.commit(Transaction(let_go=["b"]))
        assert world.store.pending(9) == [outgoing("a"), outgoing("b"), outgoing("d")]
        assert world.store.withheld() == [outgoing("c", "terminate")]

    def test_events_that_are_withdrawn_never_leave(self, world: World) -> None:
        world.store.commit(Transaction(outbox=[outgoing("a"), outgoing("b", "restrict"), outgoing("c")]))
        world.store.commit(Transaction(withdrawn=["b", "c", "never heard of"]))
        assert ids(world.store.pending(9)) == ["a"]
        assert world.store.withheld() == []
        assert ids(world.reader.outbox()) == ["a"]
        assert world.reader.counts()["pending"] == 1

    def test_what_waits_in_quarantine_is_kept_in_order_until_it_is_worked_after_all(self, world: World) -> None:
        events = [QuarantinedEvent("ACC-1", number, number, b"{}", "why") for number in (9, 4)]
        world.store.commit(Transaction(quarantined=events))
        assert world.store.quarantined("ACC-1") == [events[1], events[0]]
        world.store.commit(Transaction(unquarantined=[("ACC-1", 4)]))
        assert world.store.quarantined("ACC-1") == [events[0]]
        world.store.commit(Transaction(unquarantined=[("ACC-1", 9)]))
        assert world.store.load(["ACC-1"]) == {}

    def test_it_knows_which_breakers_hold_events_back(self, world: World) -> None:
        assert world.store.blown() == []
        events = [outgoing("a", "terminate"), outgoing("b", "restrict"), outgoing("c", "restrict"), outgoing("d")]
        world.store.commit(Transaction(outbox=events))
        assert world.store.blown() == ["restrict", "terminate"]
        world.store.commit(Transaction(withdrawn=["b", "c"], let_go=["a"]))
        assert world.store.blown() == []

    def test_held_events_are_loaded_in_order_until_they_are_released(self, world: World) -> None:
        events = [HeldEvent("ACC-1", number, number, b"{%d}" % number) for number in (12, 3, 7)]
        world.store.commit(Transaction(held=[*events, HeldEvent("ACC-2", 3, 3, b"{}")]))
        loaded = world.store.load(["ACC-1"])["ACC-1"]
        assert (loaded.state, loaded.version, loaded.held) == (None, 0, (events[1], events[2], events[0]))
        world.store.commit(Transaction(released=[("ACC-1", 3), ("ACC-1", 7), ("ACC-1", 99)]))
        assert world.store.load(["ACC-1"])["ACC-1"].held == (events[0],)
        world.store.commit(Transaction(released=[("ACC-1", 12)]))
        assert world.store.load(["ACC-1"]) == {}

    def test_an_event_held_and_released_by_one_batch_leaves_nothing(self, world: World) -> None:
        world.store.commit(Transaction(held=[HeldEvent("ACC-1", 1, 1, b"")], released=[("ACC-1", 1)]))
        assert world.store.load(["ACC-1"]) == {}

    def test_a_held_event_of_the_same_number_fails_the_commit(self, world: World) -> None:
        world.store.commit(Transaction(held=[HeldEvent("ACC-1", 1, 1, b"")]))
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(held=[HeldEvent("ACC-1", 1, 2, b"")]))

    def test_it_knows_who_waits_for_an_account(self, world: World) -> None:
        world.store.commit(Transaction(held=[HeldEvent(each, 1, 1, b"") for each in ("ACC-3", "ACC-1", "ACC-2")]))
        world.store.commit(begun("ACC-2"))
        assert world.store.waiting_for_account() == ["ACC-1", "ACC-3"]

    def test_it_knows_who_is_in_quarantine(self, world: World) -> None:
        world.store.commit(begun("ACC-2"))
        quarantined = [QuarantinedEvent(each, 1, 1, b"", "KeyError") for each in ("ACC-1", "ACC-2")]
        world.store.commit(Transaction(quarantined=quarantined))
        loaded = world.store.load(["ACC-1", "ACC-2"])
        assert [loaded[each].is_quarantined for each in ("ACC-1", "ACC-2")] == [True, True]
        assert (loaded["ACC-1"].state, loaded["ACC-2"].state) == (None, STATE)
        with pytest.raises(StoreConflict):
            world.store.commit(Transaction(quarantined=quarantined[:1]))

    def test_a_desk_is_as_it_was_left(self, world: World) -> None:
        world.store.commit(Transaction(desks={"north": (1, ("a",)), "south": ()}))
        world.store.commit(Transaction(desks={"north": (2, ("b", None))}))
        assert world.store.desks() == {"north": (2, ("b", None)), "south": ()}

    def test_it_knows_the_latest_instant_of_everything_it_was_given(self, world: World) -> None:
        assert world.store.last_instant() == 0
        world.store.commit(Transaction(inbox=[("billing", "1", 20), ("billing", "2", 10)]))
        assert world.store.last_instant() == 20
        world.store.commit(Transaction(journal=facts("ACC-1", [1, 2], at=30)))
        assert world.store.last_instant() == 32
        world.store.commit(Transaction(outbox=[outgoing("a", at=50)]))
        assert world.store.last_instant() == 50
        world.store.commit(Transaction(inbox=[("billing", "3", 15)]))
        assert world.store.last_instant() == 50

    def test_it_forgets_old_events_and_nothing_else(self, world: World) -> None:
        world.store.commit(begun("ACC-1"))
        world.store.commit(Transaction(inbox=[("billing", str(n), n) for n in range(25_000)]))
        assert world.store.forget(24_000) == 24_000
        assert world.store.forget(24_000) == 0
        assert world.store.seen([("billing", "23999"), ("billing", "24000")]) == {("billing", "24000")}
        assert world.reader.counts()["inbox"] == 1_000
        assert world.store.last_instant() == 24_999
        world.store.commit(Transaction(inbox=[("billing", "1", 30_000)]))

    def test_it_lists_the_profiles_that_are_open(self, world: World) -> None:
        for profile_id in ("ACC-3", "ACC-1", "ACC-2"):
            world.store.commit(begun(profile_id, is_closed=profile_id == "ACC-2"))
        assert world.store.profile_ids() == ["ACC-1", "ACC-3"]
        assert list(world.reader.profile_ids()) == ["ACC-1", "ACC-2", "ACC-3"]

    def test_it_knows_who_was_worked_last_under_another_policy_version(self, world: World) -> None:
        """Not those of whom that is unknown, nor those that are closed; what is written last counts."""
        for profile_id, version in (("ACC-4", 6), ("ACC-2", 8), ("ACC-1", 7), ("ACC-3", None), ("ACC-5", 6)):
            world.store.commit(worked(begun(profile_id, is_closed=profile_id == "ACC-5"), version))
        assert world.store.outdated(7) == ["ACC-2", "ACC-4"]
        assert world.store.outdated(6) == ["ACC-1", "ACC-2"]
        world.store.commit(worked(moved("ACC-4", 2, None), 7))
        world.store.commit(worked(moved("ACC-1", 2, None), None))
        assert world.store.outdated(7) == ["ACC-2"]
        assert world.store.outdated(8) == ["ACC-4"]
        rows = {each.profile_id: each.policy_version for each in world.reader.rows()}
        assert rows == {"ACC-1": None, "ACC-2": 8, "ACC-3": None, "ACC-4": 7, "ACC-5": 6}

    def test_it_counts_the_open_profiles_of_each_policy_segment(self, world: World) -> None:
        assert world.store.segment_sizes() == {}
        for profile_id, segment in (("ACC-1", "soft"), ("ACC-2", "soft"), ("ACC-3", None), ("ACC-4", "rest")):
            transaction = begun(profile_id, is_closed=profile_id == "ACC-4")
            transaction.profiles[0] = replace(transaction.profiles[0], policy_segment=segment)
            world.store.commit(transaction)
        assert world.store.segment_sizes() == {"soft": 2, None: 1}

    def test_it_is_read_while_another_thread_commits(self, world: World) -> None:
        def commit_all() -> None:
            for n in range(100):
                transaction = begun(f"ACC-{n:03}", wake_at=n)
                transaction.inbox.append(("billing", str(n), n))
                transaction.outbox.append(outgoing(str(n)))
                world.store.commit(transaction)

        with ThreadPoolExecutor(1) as pool:
            committing = pool.submit(commit_all)
            while not committing.done():
                seen = len(world.store.seen([("billing", str(n)) for n in range(100)]))
                loaded = world.store.load([f"ACC-{n:03}" for n in range(100)])
                assert len(loaded) >= seen
                assert len(world.store.due(1_000, 1_000)) >= len(loaded)
                world.store.mark_sent(ids(world.store.pending(10)))
            committing.result()
        assert len(world.store.seen([("billing", str(n)) for n in range(100)])) == 100

    def test_who_opens_it_again_finds_all_that_was_committed(self, world: World) -> None:
        transaction = begun("ACC-1", wake_at=20)
        transaction.inbox.append(("billing", "1", 7))
        transaction.outbox.extend([outgoing("a"), outgoing("b", "restrict")])
        transaction.held.append(HeldEvent("ACC-2", 1, 1, b"{}"))
        transaction.desks["north"] = STATE
        world.store.commit(transaction)
        world.store.close()
        store = world.reopen()
        assert store.seen([("billing", "1")]) == {("billing", "1")}
        assert store.load(["ACC-1"])["ACC-1"].state == STATE
        assert store.due(99, 9) == [("ACC-1", 20)]
        assert ids(store.pending(9)) == ["a"]
        assert store.waiting_for_account() == ["ACC-2"]
        assert store.desks() == {"north": STATE}
        assert store.last_instant() == 101
        store.commit(moved("ACC-1", 2, None))

    def test_the_reader_shows_profiles_with_their_timers_in_order_of_id(self, world: World) -> None:
        assert list(world.reader.rows()) == []
        expected = []
        for profile_id, wake_at in (("ACC-2", 20), ("ACC-1", None), ("ACC-10", 5)):
            world.store.commit(begun(profile_id, wake_at=wake_at))
            expected.append(row(profile_id, 1, wake_at))
        assert list(world.reader.rows()) == sorted(expected, key=lambda each: each.profile_id)
        assert [world.reader.row(each.profile_id) for each in expected] == expected
        assert world.reader.row("ACC-9") is None
        assert world.reader.state("ACC-2") == STATE
        assert world.reader.state("ACC-9") is None

    def test_the_reader_goes_through_more_than_it_reads_at_once(self, world: World) -> None:
        some = sorted(f"ACC-{n}" for n in range(2_500))
        transaction = Transaction(profiles=[row(each, 1 if each > "ACC-1" else 2_500) for each in some])
        transaction.journal.extend(entry for each in some if each > "ACC-1" for entry in facts(each, [1]))
        transaction.journal.extend(facts("ACC-0", range(1, 2_501)) + facts("ACC-1", range(1, 2_501)))
        transaction.outbox.extend(outgoing(str(n)) for n in range(2_500))
        world.store.commit(transaction)
        assert list(world.reader.profile_ids()) == some
        assert [each.profile_id for each in world.reader.rows()] == some
        assert [entry.number for entry in world.reader.journal("ACC-0")] == list(range(1, 2_501))
        assert ids(world.reader.outbox()) == [str(n) for n in range(2_500)]

    def test_the_reader_counts(self, world: World) -> None:
        transaction = begun("ACC-1", wake_at=20)
        transaction.journal.extend(facts("ACC-2", [1]))
        transaction.inbox.append(("billing", "1", 7))
        transaction.outbox.extend([outgoing("a"), outgoing("b", "restrict")])
        transaction.held.append(HeldEvent("ACC-3", 1, 1, b"{}"))
        transaction.quarantined.append(QuarantinedEvent("ACC-4", 1, 1, b"{}", "why"))
        world.store.commit(transaction)
        assert world.reader.counts() == {
            "profiles": 1,
            "journal": 2,
            "inbox": 1,
            "timers": 1,
            "pending": 1,
            "held": 1,
            "quarantined": 1,
        }

    def test_the_reader_tells_who_stands_still_since_when_and_why(self, world: World) -> None:
        """Whoever has waited longest first; the reason is that of the first event, what waits behind it has none."""
        some = [
            QuarantinedEvent("ACC-1", 7, 20, b"late", "KeyError: x"),
            QuarantinedEvent("ACC-1", 9, 30, b"later", ""),
            QuarantinedEvent("ACC-2", 1, 10, b"{}", "ValueError"),
        ]
        world.store.commit(Transaction(quarantined=some))
        still = [StandsStill("ACC-2", 1, 10, "ValueError"), StandsStill("ACC-1", 2, 20, "KeyError: x")]
        assert list(world.reader.quarantine(10)) == still
        assert list(world.reader.quarantine(1)) == still[:1]
        assert list(world.reader.quarantined("ACC-1")) == some[:2]
        assert list(world.reader.quarantined("ACC-3")) == []

    def test_the_reader_finds_what_belongs_to_no_profile(self, world: World) -> None:
        world.store.commit(begun("ACC-1", wake_at=20))
        world.store.commit(Transaction(held=[HeldEvent("ACC-2", 1, 1, b"{}")]))
        assert list(world.reader.strays()) == []
        world.store.commit(Transaction(journal=facts("ACC-4", [1, 2])))
        world.store.commit(Transaction(held=[HeldEvent("ACC-1", 1, 1, b"{}"), HeldEvent("ACC-1", 2, 1, b"{}")]))
        assert list(world.reader.strays()) == [("journal", "ACC-4"), ("held", "ACC-1")]
