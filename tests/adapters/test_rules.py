"""Conditions in CEL: what is accepted, what is refused and why, and what `holds` answers."""

import contextlib
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.rule_check import FUNCTIONS, compile_rule
from adapters.rules import EXPRESSION_MAX, MEASURE_NAMES, SEGMENT_NAMES, Rule, RuleError, Scope
from domain.policy import Attribute, ConditionFailed

ATTRIBUTES = {
    each.name: each
    for each in (
        Attribute(name="region", type="string"),
        Attribute(name="tenure_months", type="integer"),
        Attribute(name="score", type="number"),
        Attribute(name="revenue_class", type="enum", values=("A", "B", "C")),
        Attribute(name="vip", type="boolean"),
        Attribute(name="since", type="date"),
        Attribute(name="customer-group", type="string"),
    )
}
SEGMENT = Scope(names=SEGMENT_NAMES, attributes=ATTRIBUTES, currency="RUB")
MEASURE = Scope(names=MEASURE_NAMES, attributes=ATTRIBUTES, currency="RUB", segments=("key", "everyone"))

FACTS: dict[str, object] = {
    "party": "organisation",
    "projection": "account",
    "ledger": "invoices",
    "currency": "RUB",
    "attributes": {"region": "SPB", "revenue_class": "A", "tenure_months": 7, "score": 2},
    "balance": -40_000,
    "debt": 40_000,
    "overdue": 30_000,
    "days_past_due": 12,
    "open_items": 2,
    "broken_promises": 0,
    "segment": "key",
}


def holds(expression: str, **facts: object) -> bool:
    return compile_rule(expression, MEASURE).holds(FACTS | facts)


def refusal(expression: str, scope: Scope = MEASURE) -> str:
    with pytest.raises(RuleError) as refused:
        compile_rule(expression, scope)
    assert "\n" not in str(refused.value)
    return f"{refused.value} ({refused.value.hint})" if refused.value.hint else str(refused.value)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("overdue >= 30000", True),
        ("overdue > 30000", False),
        ('party == "organisation" && attributes.revenue_class == "A"', True),
        ('attributes["customer-group"] == "x" || attributes.region in ["SPB", "MUR"]', True),
        ("has(attributes.vip) && attributes.vip", False),
        ('"vip" in attributes', False),
        ('"vip" in attributes && attributes.vip', False),
        ("has(attributes.vip) == true", False),
        ("5 < overdue == has(attributes.region)", True),
        ("open_items > 0 && overdue / open_items >= 15000", True),
        ('["S", "M"].exists(x, attributes.region.startsWith(x))', True),
        ('segment == "key" && broken_promises == 0 && days_past_due in [11, 12]', True),
        ("attributes.score * 2.0 > 3.9", True),
        ('attributes.region.matches("^S.B$") // a regular expression', True),
        ("true", True),
    ],
)
def test_a_rule_says_of_a_profile_what_its_author_meant(expression: str, expected: bool) -> None:
    assert holds(expression) is expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("overdue >=", "not an expression: mismatched input '<EOF>' at character 11"),
        ("partie == 'person'", 'unknown name "partie" (did you mean party?)'),
        ("attributes.regoin == 'SPB'", 'unknown attribute "regoin" (did you mean region?)'),
        ('attributes["regoin"] == "SPB"', 'unknown attribute "regoin" (did you mean region?)'),
        ("has(attributes.regoin)", 'unknown attribute "regoin" (did you mean region?)'),
        ('"regoin" in attributes', 'unknown attribute "regoin" (did you mean region?)'),
        ('"reg\\x69on" in attributes && attributes["reg\\u006fin"] == ""', 'unknown attribute "regoin"'),
        ("size(attributes) > 1", "attributes are read one by one, by name"),
        ("attributes[party] == 'x'", "attributes are read one by one, by name"),
        ("attributes.exists(x, x == 'region')", "attributes are read one by one, by name"),
        ("party.startWith('p')", 'unknown function "startWith" (did you mean startsWith?)'),
        ("party == 'person' || lower(party) == 'x'", 'unknown function "lower"'),
        ("overdue", "gives 0, neither true nor false, when overdue is 0"),
        (
            "attributes.vip ? overdue > 1 : 2",
            "gives 2, neither true nor false, when overdue is 0, attributes.vip is false",
        ),
        ("overdue / open_items > 5", "division by zero in CEL expression, when open_items is 0"),
        ("overdue + 9223372036854775807 > 0", "Arithmetic overflow"),
        ("attributes.tenure_months + attributes.score > 1.0", "values of these types do not go together"),
        ("attributes.region > 5", "values of these types do not go together"),
        ("party == 'person' && attributes.region > 5", "values of these types do not go together"),
        ("attributes.tenure_months == '7'", "attributes.tenure_months is a number, and never equals '7'"),
        ("5 != attributes.region", "attributes.region is a string, and never equals 5"),
        ("overdue == '5'", "overdue is a number, and never equals '5'"),
        ("attributes.region == -5", "attributes.region is a string, and never equals 5"),
        ("currency == 643", "currency is a string, and never equals 643"),
        (
            "attributes.vip == 'true'",
            "attributes.vip is a boolean, and never equals 'true' (write attributes.vip, or !attributes.vip)",
        ),
        ("'yes' != attributes['vip']", "attributes.vip is a boolean, and never equals 'yes'"),
        ("attributes.vip == 0", "attributes.vip is a boolean, and never equals 0"),
        ("attributes.vip in [1, 2]", "attributes.vip is a boolean, and never equals 1"),
        ("attributes.region == true", "attributes.region is a string, and never equals true"),
        ("false != overdue", "overdue is a number, and never equals false"),
        ("party == 'persn'", "party is never 'persn' (did you mean person?)"),
        ("attributes.revenue_class in ['A', 'D']", "attributes.revenue_class is never 'D'"),
        ("segment == 'keys'", "segment is never 'keys' (did you mean key?)"),
        ("[1].all(x, [2].all(y, y > x))", "more than one comprehension"),
        ("['a'].map(x, x + x).map(x, x + x) == []", "more than one comprehension"),
        ("[1].all(party, party > 0)", "party is the name of a fact, and cannot name an element"),
        ("[1].all(attributes, attributes > 0)", "attributes is the name of a fact, and cannot name an element"),
        ("type(party) == string", "unknown name"),
        (".party == 'person'", "unknown name"),
        ('party.matches("[")', "not a valid regex"),
    ],
)
def test_an_expression_that_would_fail_or_surprise_is_refused_with_the_reason(expression: str, reason: str) -> None:
    assert reason in refusal(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "attributes.vip == true",
        "attributes.vip in [true, false]",
        "5 < overdue == attributes.vip",
        "overdue == 5 == attributes.vip",
        "overdue > 5 == true",
        'attributes.vip == "SPB".contains(attributes.region)',
        'currency == "USD"',
    ],
)
def test_only_what_is_compared_with_a_value_must_be_of_its_type(expression: str) -> None:
    assert compile_rule(expression, MEASURE).source == expression


def test_segments_do_not_see_the_facts_of_a_debt() -> None:
    assert 'unknown name "overdue"' in refusal("overdue > 1", SEGMENT)


def test_an_expression_has_a_length_that_a_person_can_read() -> None:
    longest = "true || " + " " * (EXPRESSION_MAX - 12) + "true"
    assert compile_rule(longest, SEGMENT).source == longest
    assert f"longer than {EXPRESSION_MAX} characters" in refusal("true || " + " " * EXPRESSION_MAX + "true")


def test_attributes_declared_wrongly_are_known_and_their_types_not_guessed() -> None:
    unsure = Scope(names=SEGMENT_NAMES, attributes={}, unsure=frozenset({"region"}))
    assert compile_rule("attributes.region > 5", unsure).source == "attributes.region > 5"
    assert 'unknown attribute "zone"' in refusal("attributes.zone > 5", unsure)


def test_an_absent_attribute_makes_the_rule_fail_with_its_name() -> None:
    rule = compile_rule('attributes.region == "SPB"', SEGMENT)
    with pytest.raises(ConditionFailed, match="no such key: region"):
        rule.holds(FACTS | {"attributes": {}})


@pytest.mark.parametrize("value", [{"a": [1]}, [1], object(), None])
def test_a_value_that_no_profile_should_hold_makes_the_rule_fail(value: object) -> None:
    rule = compile_rule("attributes.tenure_months > 5", SEGMENT)
    with pytest.raises(ConditionFailed):
        rule.holds(FACTS | {"attributes": {"tenure_months": value}})


def test_what_is_remembered_is_what_would_be_evaluated() -> None:
    rule = compile_rule('attributes.region == "SPB" && days_past_due > 3', MEASURE)
    for day in (*range(3_000), *range(3_000)):
        region = "SPB" if day % 3 else "MSK"
        expected = day > 3 and day % 3 != 0
        assert rule.holds(FACTS | {"days_past_due": day, "attributes": {"region": region}}) is expected


def test_threads_share_a_rule_and_get_their_own_answers() -> None:
    rules = [compile_rule(each, MEASURE) for each in ("overdue > 300", 'attributes.region == "SPB"')]
    wrong: list[int] = []

    def ask() -> None:
        for number in range(3_000):
            facts = FACTS | {"overdue": number % 600, "attributes": {"region": "SPB" if number % 2 else "MSK"}}
            if rules[0].holds(facts) is not (number % 600 > 300) or rules[1].holds(facts) is not bool(number % 2):
                wrong.append(number)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_rule_travels_to_another_process_and_equals_itself() -> None:
    rule = compile_rule('attributes.score > 1.5 && party == "organisation"', MEASURE)
    again = pickle.loads(pickle.dumps(rule))
    assert isinstance(again, Rule)
    assert again == rule
    assert hash(again) == hash(rule)
    assert again != compile_rule("true", MEASURE)
    assert again.holds(FACTS)
    assert again.source == rule.source


def test_the_library_is_loaded_without_its_command_line_and_can_be_imported_beside() -> None:
    """A second copy of it would panic."""
    script = (
        "import sys; from adapters.rules import Rule; Rule('1 < 2', (), ()).holds({});"
        "print('prompt_toolkit' in sys.modules); import cel; print(cel.evaluate('1 < 2'))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


WORDS = [
    *sorted(MEASURE_NAMES),
    *(f"attributes.{name}" for name in ATTRIBUTES if name.isidentifier()),
    *sorted(FUNCTIONS),
    *("has(", "(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "!", "-", "+", "*", "/", "%", "in", "//", '"', "'"),
    *("==", "!=", "<", ">=", "&&", "||", "true", "false", "null", "0", "1", "1.5", "1u", "9223372036854775807"),
    *('"A"', "'SPB'", '"(a+)+$"', '"\\\\w{99}"', ".all(x, ", ".map(x, ", ".matches(", 'r"\\d{500}"', "x"),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join) | st.text(max_size=200))
def test_any_text_is_a_rule_or_is_refused_and_soon(expression: str) -> None:
    start = time.thread_time()
    refused = rule = None
    try:
        rule = compile_rule(expression, MEASURE)
    except RuleError as error:
        refused = str(error)
    assert rule is not None or (refused and "\n" not in refused)
    with contextlib.suppress(ConditionFailed):
        assert rule is None or rule.holds(FACTS) in (True, False)
    assert time.thread_time() - start < 5


@pytest.mark.parametrize("piece", ["(", "[", "!", "-", "{1:", "true?", "party.a", "size(", "1+", "false||", "\\", '"'])
def test_deep_and_long_expressions_end_in_a_refusal_not_in_a_crash(piece: str) -> None:
    assert refusal((piece * EXPRESSION_MAX)[:EXPRESSION_MAX])


def test_ordinary_rules_do_not_wait_for_the_interpreter() -> None:
    """A generous bound: what is measured is in the room sign of `adapters.rules`."""
    rule = compile_rule('party == "organisation" && attributes.revenue_class == "A"', MEASURE)
    start = time.thread_time()
    for _ in range(10_000):
        rule.holds(FACTS)
    assert time.thread_time() - start < 1
