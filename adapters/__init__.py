"""Technology: what makes the ports real, and the doors through which people and other systems come in.

The SQLite store, policy files and their rules, CloudEvents, JSON lines, HTTP, the command line, logs, the demo. The
environment is read in one file here (settings.py) and nowhere else.

May import: every other room. Nothing imports this one: it is the outermost.

Start with bootstrap.py (the composition root: settings in, a running engine out), then cli.py, then the adapter of the
port in question; policy_files.py is the loader of what analysts write.
"""
