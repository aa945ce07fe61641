"""When a run opens, and when its measures fire."""

from .story import BLOCK, COMMANDS, HOURS, RUNS, TASKS, Event, Story, account, by_hand, invoice, measure, payment

SEGMENTS_BY_TARIFF = """
[attributes]
tariff = "string"

[[segment]]
name = "other"
when = 'attributes.tariff == "other"'
plan = "q"
"""

MEASURES = [
    Story(
        name="midnight opens a run",
        sentence="A run opens when overdue reaches min_overdue (usually by the passing of midnight, with no message).",
        plans=BLOCK,
        events=(account(), invoice()),
        until="03-02 12:00",
        watch=RUNS + COMMANDS,
        expected=("03-02 00:00 run A/1 opened", "03-02 10:00 A/1/block plan"),
    ),
    Story(
        name="a payment at the second of a measure is in time",
        sentence="At one instant all messages come before timers.",
        plans=BLOCK,
        events=(account(), invoice(), payment("03-02 10:00")),
        until="03-10 00:00",
        watch=RUNS + COMMANDS,
        expected=("03-02 00:00 run A/1 opened", "03-02 10:00 run A/1 cured"),
    ),
    Story(
        name="an old debt catches up one measure at a time",
        sentence="A debt that arrives 90 days old starts where it stood and catches up, never in a burst.",
        plans=BLOCK + measure("remind", "notify", 1) + measure("file", "legal", 5),
        events=(account("06-03 12:00"), invoice("06-03 15:00")),
        until="06-30 00:00",
        expected=("06-03 15:00 A/1/block plan", "06-04 10:00 A/1/remind plan", "06-05 10:00 A/1/file plan"),
    ),
    Story(
        name="an event at three in the morning blocks nobody",
        sentence="Never before `at` of the local day on which it fires.",
        plans=BLOCK,
        events=(account("06-01 12:00"), invoice("06-03 03:00")),
        until="06-10 00:00",
        watch=RUNS + COMMANDS,
        expected=("06-03 03:00 run A/1 opened", "06-03 10:00 A/1/block plan"),
    ),
    Story(
        name="without a gap two measures of a day fire together",
        sentence="On or after `at` of the local date min_gap_days after the date on which the previous measure fired.",
        plans="[plans.p]\nmin_gap_days = 0\n" + BLOCK + measure("remind", "notify", 1),
        events=(account(), invoice()),
        until="03-10 00:00",
        expected=("03-02 10:00 A/1/block plan", "03-02 10:00 A/1/remind plan"),
    ),
    Story(
        name="a condition that is false skips to the next at once, and leaves no gap",
        sentence="At that instant `when` is evaluated: false skips the measure, and the next one is looked at at once.",
        plans="[plans.p]\nmin_gap_days = 3\n"
        + BLOCK
        + measure("remind", "notify", 2, "when = 'overdue >= 1000'")
        + measure("file", "legal", 2),
        events=(account(), invoice()),
        until="03-10 00:00",
        expected=("03-02 10:00 A/1/block plan", "03-05 10:00 A/1/file plan"),
    ),
    Story(
        name="the due date that counts moves to the next item",
        sentence="When a partial payment clears the oldest item, the due date that counts moves to the next one: "
        "measures that have fired stay fired, later ones wait longer.",
        plans=BLOCK + measure("file", "legal", 15),
        events=(
            account(),
            invoice(),
            invoice(due="2024-03-10", name="I2"),
            payment("03-12 12:00"),
        ),
        until="04-10 00:00",
        expected=("03-02 10:00 A/1/block plan", "03-25 10:00 A/1/file plan"),
    ),
    Story(
        name="business days without a calendar",
        sentence="With business_days, on a business day (if not, at `at` of the next one). 2024-03-02 is a Saturday.",
        plans=measure("file", "legal", 1, "business_days = true\nat = '11:00'"),
        events=(account(), invoice()),
        until="03-10 00:00",
        expected=("03-04 11:00 A/1/file plan",),
    ),
    Story(
        name="a working Saturday",
        sentence="With a calendar days off are what is not a business day there, moved days included.",
        plans=measure("file", "legal", 1, "business_days = true"),
        calendar="RU",
        events=(account(), invoice(due="2024-04-26")),
        until="05-10 00:00",
        expected=("04-27 10:00 A/1/file plan",),
    ),
    Story(
        name="a Monday off",
        sentence="The same: 29 and 30 April and 1 May 2024 are days off in Russia.",
        plans=measure("file", "legal", 1, "business_days = true"),
        calendar="RU",
        events=(account(), invoice(due="2024-04-28")),
        until="05-10 00:00",
        expected=("05-02 10:00 A/1/file plan",),
    ),
    Story(
        name="a clock time that comes twice",
        sentence="`at` is local: on 27 October 2024 the first 02:30 in Berlin is 00:30 UTC.",
        plans=measure("block", "restrict", 1, "at = '02:30'"),
        zone="Europe/Berlin",
        events=(account("10-01 12:00"), invoice("10-01 12:00", due="2024-10-26")),
        until="11-01 00:00",
        watch=RUNS + COMMANDS,
        expected=("10-26 22:00 run A/1 opened", "10-27 00:30 A/1/block plan"),
    ),
    Story(
        name="cure lifts the last restriction first, at night too",
        sentence="Each restriction of the run is reversed (contact hours do not matter), the last first.",
        plans=measure("block-a", "restrict", 1, 'reverse = "free-a"')
        + measure("block-b", "restrict", 2, 'reverse = "free-b"'),
        extra=HOURS,
        events=(account(), invoice(), payment("03-05 23:30")),
        until="03-10 00:00",
        expected=(
            "03-02 10:00 A/1/block-a plan",
            "03-03 10:00 A/1/block-b plan",
            "03-05 23:30 A/1/free-b cured",
            "03-05 23:30 A/1/free-a cured",
        ),
    ),
    Story(
        name="what was reported failed is not lifted, what is unknown is",
        sentence="A restriction that was reported failed is not reversed; one whose outcome is unknown is.",
        plans=measure("block-a", "restrict", 1, 'reverse = "free-a"')
        + measure("block-b", "restrict", 2, 'reverse = "free-b"'),
        confirm=False,
        events=(
            account(),
            invoice(),
            Event("03-02 11:00", "measure.failed", {"command_id": "A/1/block-a", "detail": "no such port"}),
            payment("03-05 12:00"),
        ),
        until="03-10 00:00",
        watch=(*COMMANDS, "dms.task.opened.v1"),
        expected=(
            "03-02 10:00 A/1/block-a plan",
            "03-02 11:00 task opened A/1/block-a failed",
            "03-03 10:00 A/1/block-b plan",
            "03-05 12:00 A/1/free-b cured",
        ),
    ),
    Story(
        name="not confirmed in time",
        sentence="A command not confirmed in time is sent again with the same command_id, then fails and opens a task.",
        plans=measure("block", "restrict", 1, "confirm_within = '30m'\nretries = 1") + measure("file", "legal", 2),
        confirm=False,
        events=(account(), invoice()),
        until="03-03 12:00",
        watch=COMMANDS + TASKS,
        expected=(
            "03-02 10:00 A/1/block plan",
            "03-02 10:30 A/1/block plan",
            "03-02 11:00 task opened A/1/block failed",
            "03-03 10:00 A/1/file plan",
        ),
    ),
    Story(
        name="confirmed at the last instant",
        sentence="Messages come before timers, a confirmation too.",
        plans=measure("block", "restrict", 1, "confirm_within = '30m'\nretries = 1"),
        confirm=False,
        events=(
            account(),
            invoice(),
            Event("03-02 10:30", "measure.completed", {"command_id": "A/1/block", "detail": "done"}),
        ),
        until="03-03 12:00",
        watch=COMMANDS + TASKS,
        expected=("03-02 10:00 A/1/block plan",),
    ),
    Story(
        name="a restore that nobody confirms",
        sentence="A lifted restriction not confirmed within the policy's limit is reported.",
        plans=BLOCK,
        extra="[restore]\nwithin = '4h'\n",
        confirm=False,
        events=(account(), invoice(), payment("03-05 12:00")),
        until="03-06 00:00",
        watch=(*COMMANDS, "dms.service.restore_overdue.v1"),
        expected=(
            "03-02 10:00 A/1/block plan",
            "03-05 12:00 A/1/unblock cured",
            "03-05 16:00 service.restore_overdue",
        ),
    ),
    Story(
        name="approved",
        sentence="A measure with approval opens a task when it would fire; approved: it fires at that instant.",
        plans=measure("block", "restrict", 1, "approval = 'head'") + measure("remind", "notify", 2),
        events=(account(), invoice(), by_hand("03-05 15:00", "measure.approved", command_id="A/1/block")),
        until="03-10 00:00",
        watch=COMMANDS + TASKS,
        expected=(
            "03-02 10:00 task opened A/1/block approval",
            "03-05 15:00 task closed A/1/block approval",
            "03-05 15:00 A/1/block plan",
            "03-06 10:00 A/1/remind plan",
        ),
    ),
    Story(
        name="rejected",
        sentence="Rejected counts as skipped: it leaves no gap.",
        plans=measure("block", "restrict", 1, "approval = 'head'") + measure("remind", "notify", 2),
        events=(account(), invoice(), by_hand("03-05 15:00", "measure.rejected", command_id="A/1/block")),
        until="03-10 00:00",
        expected=("03-05 15:00 A/1/remind plan",),
    ),
    Story(
        name="approved during a hold",
        sentence="A hold is waited for, neither `at` nor `when` is looked at again.",
        plans=measure("block", "restrict", 1, "approval = 'head'\nwhen = 'overdue >= 100'"),
        events=(
            account(),
            invoice(),
            Event("03-04 12:00", "hold.placed", {"hold_id": "H1", "until": "2024-03-06", "reason": "illness"}),
            payment("03-05 12:00", amount=1),
            by_hand("03-05 15:00", "measure.approved", command_id="A/1/block"),
        ),
        until="03-10 00:00",
        expected=("03-07 00:00 A/1/block plan",),
    ),
    Story(
        name="a cure closes what waits for approval",
        sentence="The waiting measure is dropped; open approval items of the run are closed.",
        plans=measure("block", "restrict", 1, "approval = 'head'"),
        events=(
            account(),
            invoice(),
            payment("03-05 12:00"),
            by_hand("03-05 15:00", "measure.approved", command_id="A/1/block"),
        ),
        until="03-10 00:00",
        watch=COMMANDS + TASKS + ("dms.message.rejected.v1",),
        expected=(
            "03-02 10:00 task opened A/1/block approval",
            "03-05 12:00 task closed A/1/block approval",
            "03-05 15:00 rejected e4 unknown_reference",
        ),
    ),
    Story(
        name="another plan during a run",
        sentence="The new run skips every measure whose day is not after the greatest day that has fired; "
        "the restrictions stay in force and belong to the new run.",
        plans=BLOCK
        + measure("late", "legal", 10)
        + measure("qa", "legal", 1, plan="q")
        + measure("qb", "legal", 2, plan="q"),
        extra=SEGMENTS_BY_TARIFF,
        events=(
            account(),
            invoice(),
            Event("03-05 15:00", "account.updated", {"attributes": {"tariff": "other"}}),
            payment("03-06 12:00"),
        ),
        until="03-20 00:00",
        watch=(*RUNS, *COMMANDS, "dms.segment.changed.v1"),
        expected=(
            "02-26 12:00 segment None -> all",
            "03-02 00:00 run A/1 opened",
            "03-02 10:00 A/1/block plan",
            "03-05 15:00 segment all -> other",
            "03-05 15:00 run A/1 switched",
            "03-05 15:00 run A/2 opened",
            "03-05 15:00 A/2/qb plan",
            "03-06 12:00 run A/2 cured",
            "03-06 12:00 A/2/unblock cured",
        ),
    ),
    Story(
        name="after a termination no new run until the debt is gone",
        sentence="No new run opens until overdue has once been at most max_overdue.",
        plans=measure("end", "terminate", 1),
        events=(
            account(),
            invoice(),
            invoice("03-03 12:00", due="2024-03-05", name="I2"),
            payment("03-10 12:00", amount=200),
            invoice("03-11 12:00", due="2024-03-12", name="I3"),
        ),
        until="03-20 00:00",
        watch=RUNS + COMMANDS,
        expected=(
            "03-02 00:00 run A/1 opened",
            "03-02 10:00 A/1/end plan",
            "03-02 10:00 run A/1 terminated",
            "03-13 00:00 run A/2 opened",
            "03-13 10:00 A/2/end plan",
            "03-13 10:00 run A/2 terminated",
        ),
    ),
    Story(
        name="thresholds of entry and exit",
        sentence="A run opens when overdue reaches min_overdue and closes cured when it is at most max_overdue.",
        plans=measure("late", "legal", 30),
        extra="[entry]\nmin_overdue = 1000\n[exit]\nmax_overdue = 500\n",
        events=(
            account(),
            invoice(amount=999),
            invoice("03-05 12:00", amount=1, due="2024-03-01", name="I2"),
            payment("03-06 12:00", amount=499),
            payment("03-07 12:00", amount=1, name="P2"),
        ),
        until="03-20 00:00",
        watch=RUNS,
        expected=("03-05 12:00 run A/1 opened", "03-07 12:00 run A/1 cured"),
    ),
]
