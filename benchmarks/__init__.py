"""How fast, how much memory, how far it scales: measured, in named groups, beside what one would use instead.

Files are bench_*.py, each a pytest-benchmark suite of one group. They are not part of the test suite: `make bench`
measures, `make bench-smoke` runs each once so that none rots. The README here says which groups gate a release.

Start with the README, then the bench_*.py of the room in question.

May import: every room. No room may import this one.
"""
