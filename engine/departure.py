"""The departure of a batch: durable first, then acknowledged, then published.

One batch is under way at a time, in a thread of its own, while the engine decides the next.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Final

from actors.errand import Errand
from engine.intake import Door, Intake
from engine.last_look import commanded_runs
from engine.onward import Onward
from engine.outbox import Outbox
from engine.ports import Broker, Store, Transaction
from engine.tally import Tally

Run = tuple[str, str | None]
"""A profile and its run."""


class Departure:
    """Sees batches off. Used by the engine's thread alone."""

    def __init__(
        self, store: Store, broker: Broker, door: Door, outbox: Outbox, tally: Tally, *, pipelined: bool
    ) -> None:
        """Without ``pipelined`` a batch has left when `start` returns."""
        self.failure: Exception | None = None
        """Why events that are committed could not leave, the last time that was so."""
        self._store: Final = store
        self._broker: Final = broker
        self._door: Final = door
        self._outbox: Final = outbox
        self._tally: Final = tally
        self._onward: Final = Onward(broker)
        self._committer: Final = ThreadPoolExecutor(1, "commit") if pipelined else None
        self._under_way: Future[None] | None = None
        # Whose commands may be leaving meanwhile; and whether older events could not leave.
        self._leaving: frozenset[Run] = frozenset()
        self._left_over = False

    def start(self, transaction: Transaction, intake: Intake, worked: Sequence[Errand]) -> None:
        """Sees a batch off, after the one before. Raises what became of that one."""
        self.settle()
        if self._committer is None:
            self._finish(transaction, intake)
            return
        self._left_over = len(self._outbox) > 0 or bool(transaction.let_go)
        self._leaving = commanded_runs(worked)
        self._under_way = self._committer.submit(self._finish, transaction, intake)

    def settle(self) -> None:
        """Waits until everything so far is durable and published. Raises what came in between."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def give_up(self) -> None:
        """Waits for what is under way, whatever becomes of it; what was not acknowledged comes again."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.exception()
        self._onward.forget()

    def stop(self) -> None:
        """Nothing departs any more."""
        if self._committer is not None:
            self._committer.shutdown()

    def may_wait(self, runs: AbstractSet[Run]) -> bool:
        """Whether a command of these runs may not have left. Does not wait for what is under way: the pipeline would
        stand still with every payment."""
        if self._under_way is None:
            return len(self._outbox) > 0 or self._outbox.withheld > 0
        return self._left_over or self._outbox.withheld > 0 or not self._leaving.isdisjoint(runs)

    def pump(self) -> None:
        """Has another go at what could not leave, with nothing under way."""
        if len(self._onward):
            self._acknowledge(Intake())
        if len(self._outbox):
            self._publish()

    def _finish(self, transaction: Transaction, intake: Intake) -> None:
        if transaction:
            began = perf_counter()
            self._store.commit(transaction)
            self._tally.committed(len(intake.inbox), perf_counter() - began)
        self._door.committed(transaction.inbox)
        self._acknowledge(intake)
        if intake.inbox:
            self._tally.event_seconds.add(perf_counter() - intake.taken_at, len(intake.inbox))
        self._outbox.drop(transaction.withdrawn)
        self._outbox.let_go(transaction.let_go)
        self._outbox.add(transaction.outbox)
        self._publish()

    def _acknowledge(self, intake: Intake) -> None:
        """What is committed, as far as nothing of it has to go elsewhere first."""
        done = self._onward.pass_on(intake)
        if self._onward.failure is not None:
            self.failure = self._onward.failure
        if done:
            self._broker.acknowledge(done)

    def _publish(self) -> None:
        try:
            self._outbox.pump()
        except Exception as failure:
            # Durable and acknowledged all the same; it goes with the next batch, or when there is nothing else to do.
            self.failure = failure
