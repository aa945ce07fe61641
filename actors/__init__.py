"""Who holds the state while it is worked: pykka actors, one for each debt profile that is awake.

A lane is one thread and one queue that thousands of actors share. Profile actors are virtual: a cache of what the store
holds, woken by a message, put to sleep when idle. Segment and manager supervisors route, restart within a budget, and
quarantine what cannot be worked.

May import: domain and pykka, which is used in no other room. Knows no store, no broker, no clock.

Start with lane.py (the only module that may touch pykka's underscored names), then profile.py, segment.py, manager.py.
"""
