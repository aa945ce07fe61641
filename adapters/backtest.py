"""`dms backtest`: recorded events, or the journal of a store, replayed under one policy; what it sent is a `Course`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct
from msgspec.json import Decoder

from adapters.bootstrap import open_reader
from adapters.cloud_events import REJECTED, TYPE_OF
from adapters.event_types import INCOMING
from adapters.json_lines import read_lines
from adapters.replay import Line, Recorded, Replay, recorded
from adapters.settings import load_settings
from domain import messages as m
from domain.events import SegmentChanged
from domain.policy import Policy
from engine.envelope import Envelope
from engine.ports import JournalEntry, OutgoingEvent
from sim.backtest import NO_SEGMENT, Course, Sent

ANSWERS: Final = frozenset({m.MeasureCompleted, m.MeasureFailed})
"""What was said to commands of the policy that held then; under another they answer nothing."""

_TOLD: Final = {type_.kind: type_ for type_ in INCOMING if type_.kind not in ANSWERS}
_SEGMENT: Final = TYPE_OF[SegmentChanged]


class _Command(Struct):
    measure: str
    kind: str
    target: str
    reason: str
    overdue: int


class _Requested(Struct):
    data: _Command


class _Segment(Struct):
    policy_segment: str | None


class _Moved(Struct):
    data: _Segment


_requested: Final = Decoder(_Requested).decode
_moved: Final = Decoder(_Moved).decode


@dataclass(slots=True)
class LeftOut:
    """What a history has and is not played."""

    answers: int = 0
    profiles: set[str] = field(default_factory=set)


def from_files(
    files: Iterable[str], left_out: LeftOut, heard: Callable[[int], None] | None = None
) -> Iterator[Recorded]:
    """The events of JSON-lines files without `ANSWERS`; ``heard`` is told the bytes read so far, now and then."""
    for each in recorded(_lines(files, heard)):
        told = [event for event in each.events if event.kind not in ANSWERS]
        left_out.answers += len(each.events) - len(told)
        if told:
            yield each._replace(events=told)


def _lines(files: Iterable[str], heard: Callable[[int], None] | None) -> Iterator[Line]:
    done = 0
    for file in files:
        for number, body in read_lines(file):
            done += len(body) + 1
            if heard is not None and number % 1_000 == 0:
                heard(done)
            yield Line(file, number, body)


def from_store(url: str, left_out: LeftOut, heard: Callable[[int], None] | None = None) -> Iterator[Recorded]:
    """What the journal of the store at ``url`` was told, without `ANSWERS`, as events of the instants when they were
    accepted; ``heard`` is told how many so far, now and then.

    Profiles whose beginning was trimmed away are left out: nobody knows how they stood. Due dates stay those
    that the terms of then gave, and attributes that were not declared then are not known.
    """
    with open_reader(load_settings(None, {"store": url})) as reader, reader.standing_still():
        whole: set[str] = set()
        for count, entry in enumerate(reader.history([*_TOLD, *ANSWERS]), 1):
            if heard is not None and count % 1_000 == 0:
                heard(count)
            if entry.number == 1:
                whole.add(entry.profile_id)
            if entry.profile_id not in whole:
                left_out.profiles.add(entry.profile_id)
            elif type(entry.fact) in ANSWERS:
                left_out.answers += 1
            else:
                yield Recorded(url, count, [_envelope(entry)])


def _envelope(entry: JournalEntry) -> Envelope:
    """The message that a fact was, without what the policy of then worked out."""
    fact, profile_id = entry.fact, entry.profile_id
    type_ = _TOLD[type(fact)]
    values = fact.values()[1 : 1 + type_.brings]
    event_id = f"{profile_id}/{entry.number}"
    return Envelope("journal", event_id, type_.name, profile_id, fact.at, type_.kind, values, None, b"")


def course_of(policy: Policy, history: Iterable[Recorded], until: int | None = None) -> Course:
    """What ``policy`` does with a history up to and including ``until`` (None: its last event).

    Commands count as confirmed at once. Raises `InputError` as `Replay` does.
    """
    course = Course()
    with closing(Replay(policy).play(history, until)) as events:
        for event in events:
            _note(course, event)
    return course


def _note(course: Course, event: OutgoingEvent) -> None:
    key = event.routing_key
    if key.startswith("measure."):
        said = _requested(event.body).data
        sent = Sent(event.at, said.measure, said.kind, said.target, said.reason, said.overdue)
        course.commands.setdefault(event.profile_id, []).append(sent)
    elif key == _SEGMENT:
        segment = _moved(event.body).data.policy_segment or NO_SEGMENT
        course.segments.setdefault(event.profile_id, []).append((event.at, segment))
    elif key == REJECTED:
        course.rejected += 1
