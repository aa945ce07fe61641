"""Casework: the debts of one branch as the domain works them, an account at a time, a day at a time.

The domain is production's, and so is what it hears: the messages of billing, gateways and people, and the passing
of time. A profile begins with the first of them that can change anything: who pays before the policy would have
acted costs nothing here. This is the laboratory's inner loop; it compiles with the domain, and knows no numpy.
"""

from array import array
from heapq import heappop, heappush
from typing import Final, Protocol, TypeAlias

from domain.calendar import NEVER
from domain.events import MeasureRequested, PromiseBroken, PromiseKept, RunClosed, TaskOpened
from domain.evolve import evolve
from domain.messages import (
    AccountUpdated,
    AttributeValue,
    BalanceChanged,
    InvoiceIssued,
    MeasureCompleted,
    PaymentReceived,
    Wake,
)
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.work import work

_TIMERS: Final = 1 << 40
LETTER: Final = 0
INVOICE: Final = 1
BALANCE: Final = 2
PAYMENT: Final = 3
REMINDED: Final = _TIMERS + 4  # before the timer that it takes the place of
WAKE: Final = _TIMERS + 5

TURN: Final = 8
"""An action's turn among those of its instant is ``account * TURN`` plus what it is: messages before timers, then by
account. One number, since comparing tuples of boxed numbers was a seventh of the casework."""

Action: TypeAlias = tuple[int, int, int, int, int]
"""Instant, turn, and three numbers more: an invoice's item, amount and due day; a payment's serial number and amount; a
balance and its sequence. `REMINDED` is a timer whose commands left already."""

Letter: TypeAlias = tuple[int, int, int]
"""Instant, turn, and the number of the message that was posted."""

SOURCE: Final = "billing"
_DELIVERED: Final = frozenset({"notify", "legal", "task"})


class Outside(Protocol):
    """Who carries out what the domain asks for; every call names the account and its profile."""

    def commanded(self, account: int, profile: Profile, command: MeasureRequested) -> None:
        """A command that more comes of than its delivery."""

    def troubled(self, account: int, profile: Profile, command: MeasureRequested) -> bool:
        """Whether a command to one of the troubled is not simply carried out and confirmed; then it is seen to."""

    def opened(self, account: int, profile: Profile, task: TaskOpened) -> None:
        """Work for a person."""

    def ended(self, account: int, at: int, outcome: str) -> None:
        """A run is over."""

    def promise_ended(self, account: int, at: int, kept: bool) -> None:
        """A promise was kept, or broken."""

    def refused(self, account: int, message: Record, why: str) -> None:
        """The domain refused a message: the world and the domain differ."""

    def catch_up(self, account: int) -> None:
        """A letter comes to an account at rest: it must hear first of the debts that were not worth telling yet."""


class Beginning:
    """What the domain decided of the account event that begins every profile of a kind, and what came of it."""

    __slots__ = ("attributes", "facts", "wake_at")

    def __init__(self, facts: list[Record], attributes: dict[str, AttributeValue] | None, wake_at: int) -> None:
        self.facts: Final = facts
        self.attributes: Final = attributes
        self.wake_at: Final[int] = wake_at


class Casework:
    """The profiles of one branch, and the actions of the day that is worked.

    ``kinds`` gives for each account its row in ``introductions``, the account event that begins its profile. ``prefix``
    stands before the ids of invoices and payments, so that they differ from those of profiles that exist already.
    """

    def __init__(
        self,
        policy: Policy,
        name: str,
        kinds: list[int],
        introductions: list[AccountUpdated],
        codes: dict[str, dict[str, int]],
        outside: Outside,
        prefix: str = "",
    ) -> None:
        self.sent: list[int] = []
        """The day's commands, four numbers each: account, code of the measure, instant, sending."""
        self.wakes: Final[array[int]] = array("q", [NEVER]) * len(kinds)
        """When each account wants to be woken; shared with whoever looks at all of them at once."""
        self.resting: Final[bytearray] = bytearray(len(kinds))
        """Whether each account (1) owes nothing that it was told of, and waits for nothing; shared likewise."""
        self.switches: list[tuple[int, int, str, bool]] = []
        """The day's restrictions (True) and reversals that were carried out: instant, account, restriction."""
        self.troubled: set[int] = set()
        """The accounts of which a system does not carry out and confirm every command today."""
        self.messages: int = 0
        self.facts_seen: int = 0
        self.pauses_at: int = NEVER
        """Somebody outside acts at this instant: work stops before it."""
        self.watched: set[int] | None = None
        self.heard: list[tuple[int, Record]] = []
        """What the watched accounts' profiles heard, in its order."""
        self.asked: list[tuple[int, Record]] = []
        """What was commanded for them."""
        self.reminded: Final[dict[int, list[str]]] = {}
        """The reminders that accounts got before their profiles could hear of them."""
        # A list, since a dictionary with its keys takes a hundred bytes more for each.
        self._profiles: Final[list[Profile | None]] = [None] * len(kinds)
        self._policy: Final = policy
        self._name: Final = name
        self._prefix: Final = prefix
        self._kinds: Final = kinds
        self._introductions: Final = introductions
        self._codes: Final = codes
        self._outside: Final = outside
        self._actions: list[Action] = []
        self._next: int = 0
        # Two heaps beside what is known beforehand: wakes, each one number (`_wake_key`), and letters.
        self._wakes: list[int] = []
        self._bits: Final = len(kinds).bit_length()
        self._letters: list[Letter] = []
        self._posted: dict[int, Record] = {}
        self._numbered: int = 0
        self._later: dict[int, list[Letter]] = {}
        self._midnight: int = 0
        self._ends: int = 0
        self._beginnings: Final[dict[int, Beginning]] = {}
        self._past_runs: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}

    @property
    def profiles(self) -> dict[int, Profile]:
        """The profiles that have begun, by account."""
        return {account: profile for account, profile in enumerate(self._profiles) if profile is not None}

    def profile(self, account: int) -> Profile:
        """The profile of an account, which has begun."""
        profile = self._profiles[account]
        assert profile is not None
        return profile

    def adopt(self, account: int, profile: Profile) -> None:
        """A profile that was there before."""
        self._profiles[account] = profile

    def watch(self, accounts: set[int]) -> None:
        """From the beginning on, what these accounts' profiles hear is kept, and what is commanded for them."""
        self.watched = accounts
        for account in sorted(accounts):
            self.heard.append((account, self._introductions[self._kinds[account]]))

    def begin(
        self, midnight: int, ends: int, day: int, actions: list[Action], awake: list[int], troubled: set[int]
    ) -> None:
        """A day from ``midnight`` until before ``ends``, with what is known of it beforehand: ``actions``, and the
        accounts that have to be woken at their instant in ``wakes``."""
        self.troubled = troubled
        self._midnight = midnight
        self._ends = ends
        self._actions = sorted(actions)
        self._next = 0
        # A sorted list is a heap.
        self._wakes = sorted([self._wake_key(account, self.wakes[account]) for account in awake])
        self._letters = sorted(self._later.pop(day, []))
        self.sent = []
        self.switches = []

    def write_down(self, account: int, message: Record) -> None:
        """A message to a watched account of which its profile need not hear."""
        self.heard.append((account, message))

    def write_down_invoice(self, account: int, at: int, item: int, amount: int, due: int) -> None:
        """Likewise an invoice."""
        self.heard.append((account, InvoiceIssued(at, f"I{item}", amount, self._policy.zone.day(at), due)))

    def post(self, at: int, account: int, letter: Record) -> None:
        """A message that reaches the account at ``at``."""
        self._numbered += 1
        self._posted[self._numbered] = letter
        action = (at, account * TURN + LETTER, self._numbered)
        if at < self._ends:
            heappush(self._letters, action)
            return
        day = self._policy.zone.day(at)
        later = self._later.get(day)
        if later is None:
            self._later[day] = [action]
        else:
            later.append(action)

    def work(self) -> bool:
        """Works the day's actions in order of time, to its end (True) or to ``pauses_at`` (False)."""
        actions = self._actions
        wakes = self._wakes
        letters = self._letters
        count = len(actions)
        account_mask = (1 << self._bits) - 1
        while True:
            at = NEVER
            turn = 0
            if self._next < count:
                action = actions[self._next]
                at = action[0]
                turn = action[1]
            is_wake = False
            if wakes:
                wake_at = (wakes[0] >> self._bits) + self._midnight
                wake_turn = (wakes[0] & account_mask) * TURN + WAKE
                if wake_at < at or (wake_at == at and wake_turn < turn):
                    is_wake = True
                    at = wake_at
                    turn = wake_turn
            is_letter = False
            if letters:
                letter = letters[0]
                if letter[0] < at or (letter[0] == at and letter[1] < turn):
                    is_letter = True
                    at = letter[0]
                    turn = letter[1]
            if at == NEVER:
                return self.pauses_at >= self._ends
            if at >= self.pauses_at:
                return False
            if is_letter:
                self.act(at, turn, heappop(letters)[2], 0, 0)
            elif is_wake:
                heappop(wakes)
                self.act(at, turn, 0, 0, 0)
            else:
                self._next += 1
                self.act(at, turn, action[2], action[3], action[4])

    def tell(self, account: int, message: Record) -> None:
        """Hands a message to a profile, which begins with it if there is none; one that is closed hears no more."""
        profile = self._profiles[account]
        if profile is None:
            profile = self._introduced(account)
        if len(self.reminded) > 0 and account in self.reminded:
            for name in self.reminded.pop(account):
                profile.count_outside(name)
        if not profile.closed:
            self._hear(account, profile, message)

    def act(self, at: int, turn: int, first: int, second: int, third: int) -> None:
        """An action happens."""
        what = turn & _TIMERS | turn & TURN - 1
        account = (turn - what) // TURN
        profile = self._profiles[account]
        message: Record
        if what >= REMINDED:
            if profile is None or profile.wake_at > at:
                return
            message = Wake(at)
            if what == REMINDED:
                work(profile, message, self._policy, [], True)
                self._wait(account, profile.wake_at)
                return
        elif what == PAYMENT:
            message = PaymentReceived(at, f"{self._prefix}P{first}", second)
        elif what == INVOICE:
            message = InvoiceIssued(at, f"{self._prefix}I{first}", second, self._policy.zone.day(at), third)
        elif what == BALANCE:
            message = BalanceChanged(at, first, second, SOURCE)
        else:
            message = self._posted.pop(first)
            if self.resting[account] != 0:
                self._outside.catch_up(account)
        self.tell(account, message)

    def _introduced(self, account: int) -> Profile:
        """A profile that has heard of its account, as the domain decided for the first of the same kind."""
        profile = Profile(f"{self._name}{account}")
        self._profiles[account] = profile
        kind = self._kinds[account]
        beginning = self._beginnings.get(kind)
        if beginning is None:
            facts: list[Record] = []
            work(profile, self._introductions[kind], self._policy, facts)
            self._beginnings[kind] = Beginning(facts, profile.attributes, profile.wake_at)
            return profile
        for fact in beginning.facts:
            evolve(profile, fact)
        # A profile's attributes are replaced, never changed: all of a kind share theirs.
        profile.attributes = beginning.attributes
        profile.wake_at = beginning.wake_at
        return profile

    def _wake_key(self, account: int, wake_at: int) -> int:
        """A wake as one number that sorts by instant, then by account."""
        return (wake_at - self._midnight << self._bits) + account

    def _hear(self, account: int, profile: Profile, message: Record) -> None:
        is_watched = self.watched is not None and account in self.watched
        if is_watched and not isinstance(message, Wake):
            self.heard.append((account, message))
        facts: list[Record] = []
        # Where nothing fails, a command is confirmed with its instant: nothing else would come of a later answer.
        confirms = not is_watched and account not in self.troubled
        refusal = work(profile, message, self._policy, facts, confirms)
        self.messages += 1
        if refusal is not None:
            self._outside.refused(account, message, refusal.reason)
            return
        self.facts_seen += len(facts)
        for fact in facts:
            if isinstance(fact, MeasureRequested):
                self._commanded(account, profile, fact)
            elif isinstance(fact, RunClosed):
                self._outside.ended(account, fact.at, fact.outcome)
                if profile.past_runs is not None:
                    # Most runs have issued the same as some other: they share the names.
                    issued = profile.past_runs[-1]
                    profile.past_runs[-1] = self._past_runs.setdefault(issued, issued)
            elif isinstance(fact, TaskOpened):
                self._outside.opened(account, profile, fact)
            elif isinstance(fact, PromiseKept):
                self._outside.promise_ended(account, fact.at, True)
            elif isinstance(fact, PromiseBroken):
                self._outside.promise_ended(account, fact.at, False)
        wake_at = profile.wake_at
        self._wait(account, wake_at)
        self.resting[account] = 1 if wake_at == NEVER and is_at_rest(profile) else 0

    def _wait(self, account: int, wake_at: int) -> None:
        """The account wants to be woken; within the day that is an action, and of two the second finds nothing due."""
        self.wakes[account] = wake_at
        if wake_at < self._ends:
            heappush(self._wakes, self._wake_key(account, wake_at))

    def _commanded(self, account: int, profile: Profile, command: MeasureRequested) -> None:
        is_watched = self.watched is not None and account in self.watched
        if is_watched:
            self.asked.append((account, command))
        at = command.at
        kind = command.kind
        sent = self.sent
        sent.append(account)
        sent.append(self._codes[command.plan or ""][command.measure])
        sent.append(at)
        sent.append(command.attempt)
        if account in self.troubled and self._outside.troubled(account, profile, command):
            return
        if kind == "restrict":
            self.switches.append((at, account, command.measure, True))
        elif kind == "restore":
            self.switches.append((at, account, command.restores or command.measure, False))
        elif kind not in _DELIVERED:
            self._outside.commanded(account, profile, command)
        if is_watched or account in self.troubled:
            # An event of its own: what the profile of a watched account hears must be what production would.
            self.post(at + 1, account, MeasureCompleted(at + 1, command.command_id, "done"))


def is_at_rest(profile: Profile) -> bool:
    """Whether nothing but a new debt can make the profile act; then what is settled of its ledger is let go."""
    ledger = profile.ledger
    if (
        profile.closed
        or profile.ledger_kind == "balance"
        or ledger.open_items
        or ledger.credits
        or profile.run is not None
        or profile.blocked
        or profile.promise is not None
        or profile.schedule is not None
        or profile.pending is not None
        or profile.reminders is not None
        or profile.warnings is not None
    ):
        return False
    ledger.settled = ""
    return True
