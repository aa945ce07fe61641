"""What a supervisor may rely on when it hands a batch over to the actors of its lane."""

from collections import Counter
from typing import Any, NoReturn

import pykka
import pytest

from actors.lane import NotOnThisLane
from engine.lanes import InlineLane
from tests.actors.tellers import ENDS, Story, Supervisor, Teller, raising


def test_a_batch_comes_after_what_was_sent_before_and_is_not_interrupted(lane: InlineLane, story: Story) -> None:
    supervisor = Supervisor.start(story, "S", lane=lane)
    a, b = Teller.start(story, "A", lane=lane), Teller.start(story, "B", lane=lane)
    supervisor.tell([(a, 2), (b, 3), (a, lambda: b.tell(5)), (b, 4)])
    b.tell(1)
    lane.run()
    assert story == [("B", 1), ("A", 2), ("B", 3), ("B", 4), ("B", 5)]


def test_a_supervisor_tells_itself_when_the_batch_is_done(lane: InlineLane, story: Story) -> None:
    class Committing(Supervisor):
        def on_receive(self, message: Any) -> Any:
            super().on_receive(message)
            if isinstance(message, list):
                self.actor_ref.tell("commit")

    a = Teller.start(story, "A", lane=lane)
    Committing.start(story, "S", lane=lane).tell([(a, 1), (a, 2)])
    lane.run()
    assert story == [("A", 1), ("A", 2), ("S", "commit")]


@pytest.mark.parametrize("end", ENDS)
def test_a_batch_goes_on_without_the_actor_that_fails(lane: InlineLane, story: Story, end: type[BaseException]) -> None:
    """The supervisor hears of the message that failed, and of each later one, in their order."""
    supervisor = Supervisor.start(story, "S", lane=lane)
    a, b = Teller.start(story, "A", lane=lane), Teller.start(story, "B", lane=lane)
    fails = raising(end)
    supervisor.tell([(a, 1), (a, fails), (b, 2), (a, 3), (b, 4)])
    lane.run()
    assert [entry for entry in story if entry[1] not in ("failed", "stopped")] == [
        ("A", 1),
        ("A", "reported", fails, end),
        ("B", 2),
        ("A", "reported", 3, pykka.ActorDeadError),
        ("B", 4),
    ]
    assert (supervisor.is_alive(), a.is_alive(), b.is_alive()) == (True, False, True)


def test_a_batch_does_not_reach_into_another_lane(lane: InlineLane, story: Story) -> None:
    supervisor = Supervisor.start(story, "S", lane=lane)
    here, there = Teller.start(story, "A", lane=lane), Teller.start(story, "B", lane=InlineLane("other"))
    supervisor.tell([(there, 1), (here, 2)])
    lane.run()
    assert story == [("B", "reported", 1, NotOnThisLane), ("A", 2)]
    assert there.is_alive()


@pytest.mark.parametrize("end", ENDS)
def test_a_batch_survives_its_supervisor(lane: InlineLane, story: Story, end: type[BaseException]) -> None:
    class Overwhelmed(Supervisor):
        def undelivered(self, *_: Any) -> NoReturn:
            raise end

    supervisor = Overwhelmed.start(story, "S", lane=lane)
    a, b = Teller.start(story, "A", lane=lane), Teller.start(story, "B", lane=lane)
    supervisor.tell([(a, raising(ValueError)), (b, 1), (a, 2), (b, 3)])
    lane.run()
    assert [entry for entry in story if entry[0] == "B"] == [("B", 1), ("B", 3)]
    assert not supervisor.is_alive()


def test_of_many_messages_each_is_handled_or_reported_once(lane: InlineLane, story: Story) -> None:
    """One in a hundred raises, half of those `SystemExit`; every second message is told, the others handed over."""
    supervisor = Supervisor.start(story, "S", lane=lane)
    refs = [Teller.start(story, str(number), lane=lane) for number in range(500)]

    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

    class Poison(Numbered):
        def __call__(self) -> NoReturn:
            raise SystemExit if self.number % 200 else ValueError

    sent = [(Poison if number % 100 == 0 else Numbered)(number) for number in range(5_000)]
    supervisor.tell([(refs[message.number % 499], message) for message in sent[::2]])
    for message in sent[1::2]:
        refs[message.number % 499].tell(message)
    lane.run()
    heard = [entry[2] if entry[1] in ("reported", "undelivered") else entry[1] for entry in story]
    assert Counter(message for message in heard if isinstance(message, Numbered)) == Counter(sent)
    poisoned = {refs[message.number % 499] for message in sent if isinstance(message, Poison)}
    assert {ref for ref in refs if not ref.is_alive()} == poisoned
