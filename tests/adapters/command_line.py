"""`dms` in this process, or as its user runs it, for tests to look at what it answers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.cli import main


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


def commands_in(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands in a folder, without settings of the developer's."""
    for name in os.environ:
        if name.startswith("DMS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Ran:
        status = main(arguments)
        return Ran(status, *capfd.readouterr())

    return run


def process(*arguments: str, cwd: Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Runs a command as its user does."""
    return subprocess.run(
        [sys.executable, "-c", "import sys; from adapters.cli import main; sys.exit(main())", *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        timeout=60,
        check=False,
    )


def event(number: int, type: str, at: str, subject: str = "ACC-1", **data: object) -> dict[str, object]:
    """A CloudEvent of billing's."""
    return {
        "specversion": "1.0", "id": str(number), "source": "billing", "type": f"dms.{type}.v1", "subject": subject,
        "time": at, "data": data,
    }  # fmt: skip


ACCOUNT = event(
    1, "account.updated", "2026-01-01T06:00:00Z", projection="account", party="person", currency="RUB",
    attributes={"region": "MSK"},
)  # fmt: skip
INVOICE = event(
    2, "invoice.issued", "2026-01-01T06:00:01Z", invoice_id="I-1", amount=123_450, issued_on="2026-01-01",
    due_on="2026-01-10",
)  # fmt: skip
PAYMENT = event(3, "payment.received", "2026-01-20T06:00:00Z", payment_id="P-1", amount=123_450)


def lines(*events: object) -> str:
    """Events as JSON lines."""
    return "".join(json.dumps(each) + "\n" for each in events)


def is_one_line(text: str) -> bool:
    """Nothing but a line: no traceback, no control characters."""
    return text.endswith("\n") and text[:-1].isprintable() and len(text) > 1
