"""The second world: every port's twin, and a synthetic operator to feed the real engine.

The twins (store.py, replay_store.py, clock.py, accelerated.py, broker.py) are kept like production code, and the store
passes the contract suite of the real one; a single node and a replay run on what is in memory here. The operator
(operator.py with its billing, customers and back office) speaks CloudEvents and knows nothing of the engine. One seed
makes one world. The policy laboratory will live here.

May import: domain, actors, engine, and SimPy, which is used in no other room. Knows no adapter.

Start with clock.py and store.py for the twins, operator.py for the operator.
"""
