"""The journal in words: every kind of fact has some, in one line."""

import ast
from pathlib import Path
from typing import Any

import pytest

import domain
from adapters.journal_words import told
from adapters.policy_files import load_policy
from adapters.settings import PACKAGED_POLICY
from domain.journal import FACTS
from domain.record import Record

POLICY = load_policy(PACKAGED_POLICY)
DAY = 739_000
VALUES: dict[str, Any] = {
    "int": 1, "str": "text", "bool": True, "int | None": DAY, "str | None": "text",
    "dict[str, AttributeValue]": {"region": "MSK", "gone": None}, "Mapping[str, object]": {},
    "tuple[tuple[int, int], ...]": ((DAY, 100), (DAY + 30, 200)),
    "tuple[tuple[str, bool | None, int | None], ...]": (("block", True, None), ("warn", None, 12)),
}  # fmt: skip
DAYS = {"due_on", "issued_on", "until", "pay_by", "on", "day"}


def declared() -> dict[str, list[tuple[str, str]]]:
    """Field and type of every fact, from the sources: a compiled class does not tell its signature."""
    found: dict[str, list[tuple[str, str]]] = {}
    for source in ("events.py", "command_events.py", "messages.py", "by_hand.py"):
        tree = ast.parse((Path(domain.__file__).parent / source).read_text())
        for each in ast.walk(tree):
            if isinstance(each, ast.ClassDef):
                (init,) = [node for node in each.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
                fields = [(arg.arg, ast.unparse(arg.annotation)) for arg in init.args.args[1:] if arg.annotation]
                found[each.name] = fields
    return found


FIELDS = declared()


def sample(kind: type) -> Record:
    """A fact of a kind with something in every field."""
    fact = kind(*[DAY if name in DAYS else VALUES[text] for name, text in FIELDS[kind.__name__]])
    assert isinstance(fact, Record)
    return fact


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_is_told_in_one_line(name: str) -> None:
    """By whom, and never as a class with fields."""
    said = told(sample(FACTS[name]), POLICY)
    assert said.what.isprintable()
    assert said.why.isprintable()
    assert f"{name}(" not in said.what
    assert said.who in ("engine", "outside", "text")


def test_a_person_is_named_and_everything_else_is_the_engine_or_outside() -> None:
    """Who did what is what an audit asks first."""
    assert told(sample(FACTS["MeasureOrdered"]), POLICY).who == "text"
    assert told(sample(FACTS["PaymentReceived"]), POLICY).who == "outside"
    assert told(sample(FACTS["RunOpened"]), POLICY).who == "engine"
