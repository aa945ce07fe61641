"""`python -m tests.oracle --policy PATH [--until INSTANT] [--no-confirm] INPUT…`: the outgoing events as JSON lines."""

import argparse
import json
import sys
from pathlib import Path

from .reference import play


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--policy", required=True, type=Path)
    parser.add_argument("--until", default=None)
    parser.add_argument("--no-confirm", action="store_true")
    parser.add_argument("inputs", nargs="*", default=["-"], metavar="INPUT")
    options = parser.parse_args()
    lines: list[str] = []
    for name in options.inputs:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        lines += text.split("\n")
    for event in play(options.policy, lines, until=options.until, confirm=not options.no_confirm):
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")


main()
