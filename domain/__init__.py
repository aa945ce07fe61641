"""What a debt is, and what is to be done about it: the rules of the trade, and nothing else.

Here live the debt profile, plans and their measures, holds (moratorium, claim, promise, instalments), segments, money,
days and calendars. `decide` turns a profile and a message into events and commands; `evolve` folds an event into a
profile.

May import: the standard library; no clock, no randomness, no I/O, no threads, no log. Time is a field of the message.
It is written so that mypyc can compile it: the hot path is hand-written slotted classes.

Start with profile.py (the state), decide.py and evolve.py (the two functions), policy.py (what analysts write), then
messages.py and events.py. Beside them: ledger.py (allocation), calendar.py, timing.py (when), forecast.py (what next).
"""
