"""What a debt is, and what is to be done about it: the rules of the trade, and nothing else.

Here live the debt profile, plans and their measures, holds (moratorium, claim, promise, instalments), segments, money,
days and calendars. `decide` turns a message into at most one fact or a refusal, `follow` says what comes of it next,
`evolve` folds a fact into a profile; `work` is the loop of the three.

May import: the standard library; no clock, no randomness, no I/O, no threads, no log. Time is a field of the message.
It is written so that mypyc can compile it: the hot path is hand-written slotted classes.

Start with work.py, then decide.py, follow.py and evolve.py: tables of what the nouns decide and fold, and the order of
consequences. The nouns: accounts, managers, money (over ledger), agreements, runs, measures, restrictions, orders,
tasks, contacts, prevention, outcomes. profile.py is the state, policy.py what analysts write; messages.py, by_hand.py,
events.py and command_events.py what is told. Beside them: calendar.py, timing.py (when), forecast.py (what next),
snapshot.py and journal.py (how a profile is kept), desk.py (managers and their work).
"""
