"""Where two rules meet: what waits while something else happens, one name twice, one id twice."""

from .story import (
    BLOCK,
    COMMANDS,
    HOURS,
    REJECTIONS,
    TASKS,
    Event,
    Story,
    account,
    by_hand,
    invoice,
    measure,
    payment,
)

RESTORED = "dms.service.restore_overdue.v1"
SOON = """
[[prevention]]
name = "soon"
days_before_due = 3
measure = { kind = "notify", channel = "sms", template = "soon", at = "19:00" }
"""
# At 17:00; two hours later the contact hours of a Saturday are over.
TRIED_AGAIN = measure("text", "notify", 1, 'at = "17:00"\nconfirm_within = "2h"\nretries = 3')
TRIED_AT_ANY_HOUR = measure("block", "restrict", 1, 'at = "17:00"\nconfirm_within = "2h"\nretries = 1')
ASKS = measure("remind", "notify", 1, 'approval = "head"')
TWO_OF_A_NAME = (
    measure("block", "restrict", 1, 'reverse = "first-open"')
    + measure("last", "legal", 50)
    + measure("block", "restrict", 1, 'reverse = "second-open"', plan="q")
)


def outcome(time: str, command_id: str, what: str = "failed") -> Event:
    return Event(time, f"measure.{what}", {"command_id": command_id, "detail": "?"})


def skip(time: str, name: str, value: bool = True) -> Event:
    return by_hand(time, "plan.amended", changes=[{"measure": name, "skip": value}])


CORNERS = [
    Story(
        name="a contact is not sent again at night",
        sentence="A command not confirmed in time is sent again; a contact within the contact hours.",
        plans=TRIED_AGAIN,
        extra=HOURS,
        confirm=False,
        events=(account(), invoice(), outcome("03-03 20:00", "A/1/text")),
        until="03-04 09:00",
        watch=COMMANDS + TASKS,
        expected=(
            "03-02 17:00 A/1/text plan",
            "03-03 10:00 A/1/text plan",
            "03-03 12:00 A/1/text plan",
            "03-03 14:00 A/1/text plan",
            "03-03 16:00 task opened A/1/text failed",
        ),
    ),
    Story(
        name="a retry that waits, and an event meanwhile",
        sentence="A profile's events leave in the order in which they were decided: time never steps back.",
        plans="[plans.p]\nmin_gap_days = 0\n"
        + TRIED_AGAIN
        + measure("ask", "legal", 1, 'at = "17:00"\napproval = "head"')
        + measure("file", "legal", 1, 'at = "17:00"'),
        extra=HOURS,
        confirm=False,
        events=(account(), invoice(), by_hand("03-02 23:00", "measure.rejected", command_id="A/1/ask")),
        until="03-03 11:00",
        expected=("03-02 17:00 A/1/text plan", "03-02 23:00 A/1/file plan", "03-03 10:00 A/1/text plan"),
    ),
    Story(
        name="a restriction is sent again at any hour",
        sentence="A command not confirmed in time is sent again with the same command_id.",
        plans=TRIED_AT_ANY_HOUR,
        extra=HOURS,
        confirm=False,
        events=(account(), invoice()),
        until="03-02 20:00",
        expected=("03-02 17:00 A/1/block plan", "03-02 19:00 A/1/block plan"),
    ),
    Story(
        name="a retry that waits is dropped by the payment",
        sentence="If its run has ended since (cured, closed, switched), a command is withdrawn.",
        plans=TRIED_AGAIN,
        extra=HOURS,
        confirm=False,
        events=(account(), invoice(), payment("03-02 22:00")),
        until="03-10 00:00",
        watch=COMMANDS + TASKS,
        expected=("03-02 17:00 A/1/text plan",),
    ),
    Story(
        name="failed and confirmed at the instant of another's deadline",
        sentence="At one instant all messages come before timers; events take effect in their order of arrival.",
        plans=measure("one", "legal", 1, 'confirm_within = "1d"\nretries = 1')
        + measure("two", "legal", 1, 'at = "10:00"\nconfirm_within = "2d"\nretries = 1'),
        extra="",
        confirm=False,
        events=(
            account(),
            invoice(),
            by_hand("03-02 12:00", "measure.ordered", measure="two"),
            outcome("03-03 10:00", "A/1/two"),
            outcome("03-03 10:00", "A/1/two", "completed"),
        ),
        until="03-03 11:00",
        expected=(
            "03-02 10:00 A/1/one plan",
            "03-02 12:00 A/1/two ordered",
            "03-03 10:00 A/1/two ordered",
            "03-03 10:00 A/1/one plan",
        ),
    ),
    Story(
        name="a reminder whose due date has passed",
        sentence="One that waits for contact hours is dropped if it is no longer true then.",
        plans=BLOCK,
        extra=HOURS + SOON.replace("= 3", "= 0"),
        events=(account(), invoice(due="2024-03-02")),
        until="03-03 12:00",
        expected=("03-03 10:00 A/1/block plan",),
    ),
    Story(
        name="paid and reversed while the reminder waits",
        sentence="For each item that is then unpaid; dropped if it is no longer true at the next opening. It is true.",
        plans=BLOCK,
        extra=HOURS + SOON,
        events=(
            account(),
            invoice(due="2024-03-05"),
            payment("03-02 20:00"),
            Event("03-02 21:00", "payment.reversed", {"payment_id": "P1", "reason": "bank"}),
        ),
        until="03-04 00:00",
        expected=("03-03 10:00 A/0/soon prevention",),
    ),
    Story(
        name="skipped while its approval is awaited",
        sentence="`dms.plan.amended.v1` skips measures of this debtor's run.",
        plans=ASKS,
        events=(account(), invoice(), skip("03-02 12:00", "remind"), skip("03-04 12:00", "remind", value=False)),
        until="03-05 00:00",
        watch=COMMANDS + TASKS,
        expected=(
            "03-02 10:00 task opened A/1/remind approval",
            "03-02 12:00 task closed A/1/remind approval",
            "03-04 12:00 task opened A/1/remind/2 approval",
        ),
    ),
    Story(
        name="skipped after the approval, before the contact hours",
        sentence="`dms.plan.amended.v1` skips measures of this debtor's run.",
        plans=ASKS,
        extra=HOURS,
        events=(
            account(),
            invoice(),
            by_hand("03-02 21:00", "measure.approved", command_id="A/1/remind"),
            skip("03-02 22:00", "remind"),
        ),
        until="03-10 00:00",
        expected=(),
    ),
    Story(
        name="ordered, then skipped before the contact hours",
        sentence="`dms.plan.amended.v1` skips measures of this debtor's run.",
        plans=measure("remind", "notify", 20),
        extra=HOURS,
        events=(
            account(),
            invoice(),
            by_hand("03-02 21:00", "measure.ordered", measure="remind"),
            skip("03-02 22:00", "remind"),
        ),
        until="03-10 00:00",
        expected=(),
    ),
    Story(
        name="amended too late, ordered too early, closed by the wrong door",
        sentence="Rejected `not_changeable`: fired already, awaiting its approval already, an approval is not a task.",
        plans=BLOCK + measure("file", "legal", 1, 'approval = "head"'),
        events=(
            account(),
            invoice(),
            by_hand("03-02 09:00", "plan.amended", changes=[{"measure": "file", "day": 2}]),
            by_hand("03-02 12:00", "plan.amended", changes=[{"measure": "file", "day": 3}, {"measure": "block"}]),
            by_hand("03-04 12:00", "measure.ordered", measure="file"),
            by_hand("03-04 12:01", "task.done", task_id="A/1/file", outcome="done"),
        ),
        until="03-10 00:00",
        watch=COMMANDS + TASKS + REJECTIONS,
        expected=(
            "03-02 10:00 A/1/block plan",
            "03-02 12:00 rejected e4 not_changeable",
            "03-03 10:00 task opened A/1/file approval",
            "03-04 12:00 rejected e5 not_changeable",
            "03-04 12:01 rejected e6 not_changeable",
        ),
    ),
    Story(
        name="the outcome of a command that was never sent",
        sentence="`unknown_reference` (… command): an event that cannot be applied; nothing else is ever silent.",
        plans=ASKS,
        events=(
            account(),
            invoice(),
            by_hand("03-02 12:00", "measure.rejected", command_id="A/1/remind"),
            outcome("03-02 13:00", "A/1/remind", "completed"),
        ),
        until="03-03 00:00",
        watch=COMMANDS + REJECTIONS,
        expected=("03-02 13:00 rejected e4 unknown_reference",),
    ),
    Story(
        name="two tasks of one command",
        sentence="A task carries the id of its command; while one of that id is open, the next is told apart.",
        plans=measure("visit", "task", 1, 'confirm_within = "1h"'),
        confirm=False,
        events=(
            account(),
            invoice(),
            by_hand("03-02 12:00", "task.done", task_id="A/1/visit", outcome="done"),
            by_hand("03-02 13:00", "task.done", task_id="A/1/visit", outcome="done"),
            by_hand("03-02 14:00", "task.done", task_id="A/1/visit/failed", outcome="done"),
        ),
        until="03-03 00:00",
        watch=TASKS + REJECTIONS,
        expected=(
            "03-02 10:00 task opened A/1/visit measure",
            "03-02 11:00 task opened A/1/visit failed",
            "03-02 12:00 task closed A/1/visit measure",
            "03-02 13:00 rejected e4 unknown_reference",
            "03-02 14:00 task closed A/1/visit failed",
        ),
    ),
    Story(
        name="what no run closes, the end of the account does",
        sentence="Closes the profile: the run ends, nothing more is sent; nobody could close the task later.",
        plans=measure("file", "legal", 1, 'approval = "head"'),
        events=(
            account(),
            by_hand("02-27 11:00", "measure.ordered", measure="file"),
            Event("02-28 12:00", "account.closed", {"reason": "moved"}),
        ),
        until="03-03 00:00",
        watch=TASKS,
        expected=("02-27 11:00 task opened A/0/file approval", "02-28 12:00 task closed A/0/file approval"),
    ),
    Story(
        name="a service that could not be given back",
        sentence="A command that failed opens a task; that of a reversal outlives the run.",
        plans=BLOCK,
        extra='[restore]\nwithin = "4h"\n',
        confirm=False,
        events=(
            account(),
            invoice(),
            by_hand("03-03 12:00", "restriction.lifted", measure="block"),
            outcome("03-03 13:00", "A/1/unblock"),
            payment("03-04 12:00"),
        ),
        until="03-10 00:00",
        watch=(*COMMANDS, *TASKS, RESTORED),
        expected=(
            "03-02 10:00 A/1/block plan",
            "03-03 12:00 A/1/unblock ordered",
            "03-03 13:00 task opened A/1/unblock failed",
            "03-03 16:00 service.restore_overdue",
        ),
    ),
    Story(
        name="no block after the debt that was written off is gone",
        sentence="No new run opens until overdue has once been at most max_overdue; nor does anything return for it.",
        plans=measure("stop", "terminate", 1, 'confirm_within = "3d"\nretries = 3'),
        confirm=False,
        events=(account(), invoice(), payment("03-06 12:00")),
        until="03-20 00:00",
        watch=COMMANDS + TASKS,
        expected=("03-02 10:00 A/1/stop plan", "03-05 10:00 A/1/stop plan"),
    ),
    Story(
        name="one name, two ways back",
        sentence="`dms.restriction.lifted.v1` reverses one restriction of the run; each is reversed once.",
        plans=TWO_OF_A_NAME,
        events=(
            account(),
            invoice(),
            by_hand("03-03 11:00", "plan.assigned", plan="q"),
            by_hand("03-03 12:00", "measure.ordered", measure="block"),
            by_hand("03-03 13:00", "restriction.lifted", measure="block"),
            payment("03-04 12:00"),
        ),
        until="03-10 00:00",
        expected=(
            "03-02 10:00 A/1/block plan",
            "03-03 12:00 A/2/block ordered",
            "03-03 13:00 A/2/first-open ordered",
            "03-04 12:00 A/2/second-open cured",
        ),
    ),
    Story(
        name="one name, with and without a way back",
        sentence="`dms.restriction.lifted.v1` reverses one restriction of the run; each is reversed once.",
        plans=TWO_OF_A_NAME.replace('reverse = "first-open"', ""),
        events=(
            account(),
            invoice(),
            by_hand("03-03 11:00", "plan.assigned", plan="q"),
            by_hand("03-03 12:00", "measure.ordered", measure="block"),
            by_hand("03-03 13:00", "restriction.lifted", measure="block"),
            payment("03-04 12:00"),
        ),
        until="03-10 00:00",
        expected=(
            "03-02 10:00 A/1/block plan",
            "03-03 12:00 A/2/block ordered",
            "03-03 13:00 A/2/second-open ordered",
        ),
    ),
    Story(
        name="one name, two ways back, without a run",
        sentence="Without a run it is never reversed by itself: each is given back by hand, once.",
        plans=TWO_OF_A_NAME,
        events=(
            account(),
            by_hand("03-03 11:00", "measure.ordered", measure="block"),
            by_hand("03-03 11:30", "plan.assigned", plan="q"),
            by_hand("03-03 12:00", "measure.ordered", measure="block"),
            by_hand("03-03 13:00", "restriction.lifted", measure="block"),
            by_hand("03-03 14:00", "restriction.lifted", measure="block"),
            by_hand("03-03 15:00", "restriction.lifted", measure="block"),
        ),
        until="03-10 00:00",
        watch=COMMANDS + REJECTIONS,
        expected=(
            "03-03 11:00 A/0/block ordered",
            "03-03 12:00 A/0/block/2 ordered",
            "03-03 13:00 A/0/first-open ordered",
            "03-03 14:00 A/0/second-open ordered",
            "03-03 15:00 rejected e7 no_run",
        ),
    ),
    Story(
        name="a rejection between two commands of an instant",
        sentence="A profile's events leave in the order in which they were decided: none before an earlier one.",
        plans=measure("one", "legal", 20) + measure("two", "legal", 30),
        events=(
            account(),
            invoice(),
            by_hand("03-02 12:00", "measure.ordered", measure="one"),
            by_hand("03-02 12:00", "measure.ordered", measure="none"),
            by_hand("03-02 12:00", "measure.ordered", measure="two"),
        ),
        until="03-03 00:00",
        watch=COMMANDS + REJECTIONS,
        expected=(
            "03-02 12:00 A/1/one ordered",
            "03-02 12:00 rejected e4 unknown_reference",
            "03-02 12:00 A/1/two ordered",
        ),
    ),
    Story(
        name="a duplicate after a year",
        sentence="A second event with the same id and source is a duplicate; a recording forgets no id.",
        plans=BLOCK,
        events=(
            account("2023-03-01T12:00:00Z"),
            Event("2023-03-02T12:00:00Z", "hold.lifted", {"hold_id": "none"}, id="once"),
            Event("03-02 12:00", "hold.lifted", {"hold_id": "none"}, id="once"),
        ),
        until="03-03 00:00",
        watch=REJECTIONS,
        expected=("03-02 12:00 rejected once unknown_reference",),
    ),
    Story(
        name="issued in the last month of the calendar",
        sentence="The next 5th that is on or after the day of issue.",
        plans=BLOCK,
        extra="[terms]\nperson = { day_of_month = 5 }\n",
        events=(account(), invoice(due=None, issued="9999-12-01"), invoice(name="I2")),
        until="03-03 00:00",
        expected=("03-02 10:00 A/1/block plan",),
    ),
]
