"""The promises under real faults: real servers of our own, nodes that are killed, and a judge outside of them.

`make chaos` runs them, a tenth of the counts by default and all with ``FULL=1``; a few are in the default suite.
Start with field.py, which puts up the servers and the nodes, then script.py and judge.py.
"""
