"""The receiver: a process outside the engine, which writes down all that leaves before it says that it has it.

python -m tests.chaos.receiver URL FILE

A line is the instant of its arrival, in nanoseconds, and the body.
"""

import logging
import sys
import time
from pathlib import Path
from typing import Any

import pika

QUEUE = "receiver"


def main() -> None:
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    url, file = sys.argv[1], Path(sys.argv[2])
    with file.open("ab") as out:
        while True:
            try:
                _receive(url, out)
            except (pika.exceptions.AMQPError, OSError):
                time.sleep(0.2)  # whoever kills servers starts them again


def _receive(url: str, out: Any) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=500)
    for method, _, body in channel.consume(QUEUE, inactivity_timeout=1.0):
        if method is not None:
            out.write(b"%d %s\n" % (time.time_ns(), body.replace(b"\n", b" ")))
            out.flush()
            channel.basic_ack(method.delivery_tag)


if __name__ == "__main__":
    main()
