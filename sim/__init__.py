"""The second world: every port's twin with seeded faults, and the policy laboratory.

The twins (store.py, clock.py, broker.py) run the real engine under SimPy's clock: lost, doubled, late and reordered
messages, commits whose answer is lost, crashes between any two steps. One seed makes one world. The laboratory runs the
domain directly, for speed: portfolio, debtor behaviour, limited capacity, experiments, calibration, report.

May import: domain, actors, engine, and SimPy, which is used in no other room. Knows no adapter.

Start with clock.py and store.py for the twins, world.py (the composition root) and experiment.py for the laboratory.
"""
