"""The running system without technology: takes messages in, lets actors decide, commits, acknowledges, publishes.

One batch is one transaction: inbox, profiles, journal, timers and outbox are stored together, and only then is anything
acknowledged or sent. Everything outside is a port: Store, StoreReader, Broker, Clock, PolicySource.

May import: domain and actors. Knows no concrete database, broker or clock.

Start with ports.py (what the engine asks of the world), then engine.py (a turn), intake.py, batch.py (what is written
down), departure.py (what leaves, and when), onward.py, outbox.py, service.py (turn after turn), lanes.py.
"""
