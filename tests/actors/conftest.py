"""pykka's suite is run by test_pykka_suite.py, in a process of its own."""

collect_ignore = ["pykka_suite"]
