"""What the system promises, in the words of the trade: a story or a table in, events out.

Unit tests lie in a folder named for their room; contracts/ holds one suite for each port, run over its twin and over
the real thing. Tests marked `services` need PostgreSQL, RabbitMQ or ZooKeeper; tests marked `slow` run only when asked
for. A failing simulation prints its seed and the command that repeats it.

May import: every room. No room may import this one. Start with the folder of the room in question.
"""
