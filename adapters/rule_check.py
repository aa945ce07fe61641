"""From an expression to a rule: every name must exist, every attribute be declared, and a trial must go well.

What the language leaves open is bounded here, because it has no limit on cost of its own: the length of an expression,
one comprehension, few regular expressions, and the time of one evaluation.
"""

import itertools
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from adapters.faults import Faults, shown
from adapters.rule_trial import LISTED, try_out
from adapters.rules import EXPRESSION_MAX, MEASURE_NAMES, SEGMENT_NAMES, Rule, RuleError, Scope, compiled, evaluated
from domain.policy import ConditionFailed

MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})
FUNCTIONS: Final = frozenset(
    """size contains startsWith endsWith matches string int uint double bytes timestamp duration dyn
    getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds
    getMilliseconds""".split()
)
_MATCHES_MAX: Final = 4
_GOES_ON: Final = frozenset(". [ < > =".split())
"""What makes more of a comparison's side than the token next to it."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space> \s+ | //[^\n]* )
    | (?P<string> [rRbB]{0,2} (?: \"\"\"(?:[^"\\]|\\.|"(?!""))*\"\"\" | '''(?:[^'\\]|\\.|'(?!''))*'''
                              | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' ) )
    | (?P<number> 0[xX][0-9a-fA-F]+[uU]? | (?: [0-9]+ (?:\.[0-9]+)? | \.[0-9]+ ) (?:[eE][+-]?[0-9]+)?[uU]? )
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<mark> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    kind: str  # string, number, name, mark
    text: str


def compile_rule(source: str, scope: Scope) -> Rule:
    """The rule of an expression; raises `RuleError` where it is none, or not one within ``scope``."""
    if len(source) > EXPRESSION_MAX:
        raise RuleError(f"longer than {EXPRESSION_MAX} characters", "split it into several segments or measures")
    program = compiled(source)
    tokens = _tokens(source)
    bound = _comprehended(tokens, scope)
    used = [name for name in program.variables() if name != bound]
    _known("name", used, scope.names)
    functions = [name for name in program.functions() if name[0].isalpha()]
    _known("function", functions, FUNCTIONS)
    if sum(token.text == "matches" for token in tokens) > _MATCHES_MAX:
        raise RuleError(f"more than {_MATCHES_MAX} regular expressions", 'one may hold alternatives: "a|b|c"')
    attributes = _attributes(tokens)
    _known("attribute", attributes, scope.attributes.keys() | scope.unsure)
    _comparable(tokens, scope)
    numbers = {name for name in attributes if name in scope.attributes and scope.attributes[name].type == "number"}
    names = tuple(name for name in used if name != "attributes")
    rule = Rule(source, names, attributes, frozenset(numbers))
    if not scope.unsure.intersection(attributes):
        try_out(rule, names, attributes, _literals(tokens), scope)
    return rule


def _tokens(source: str) -> list[Token]:
    """The tokens of an expression that compiles, without comments."""
    found = (Token(match.lastgroup or "mark", match.group()) for match in _TOKEN.finditer(source))
    return [token for token in found if token.kind != "space"]


def _comprehended(tokens: list[Token], scope: Scope) -> str | None:
    """The variable of the one comprehension that an expression may have."""
    bound: list[str] = []
    for dot, macro, bracket, name in zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False):
        if dot.text == "." and macro.text in MACROS and bracket.text == "(":
            bound.append(name.text)
    if len(bound) > 1:
        raise RuleError("more than one comprehension", f"{', '.join(sorted(MACROS))}: one of them, once")
    if bound and bound[0] in scope.names:
        raise RuleError(f"{bound[0]} is the name of a fact, and cannot name an element", "call it x")
    return bound[0] if bound else None


def _known(what: str, used: Iterable[str], known: Iterable[str]) -> None:
    known = set(known)
    for word in used:
        if word not in known:
            raise RuleError(f"unknown {what} {shown(word)}", Faults().guess(word, known))


def _attributes(tokens: list[Token]) -> tuple[str, ...]:
    """The names of the attributes an expression speaks of, each once; `RuleError` where one is not named outright."""
    found: dict[str, None] = {}
    padded = [Token("mark", "")] * 2 + tokens + [Token("mark", "")] * 3
    for at in range(2, len(padded) - 3):
        before_last, last, token, following, second, third = padded[at - 2 : at + 4]
        if token != ("name", "attributes") or last.text == ".":
            continue
        if following.text == "." and second.kind == "name" and third.text != "(":
            found[second.text] = None
        elif following.text == "[" and second.kind == "string" and third.text == "]":
            found[_content(second)] = None
        elif last.text == "in" and before_last.kind == "string":
            found[_content(before_last)] = None
        else:
            raise RuleError("attributes are read one by one, by name", "attributes.region, or has(attributes.region)")
    return tuple(found)


def _comparable(tokens: list[Token], scope: Scope) -> None:
    """Refuses what the language calls false without a word: an input compared with a value it can never have."""
    padded = [Token("mark", "")] * 4 + tokens + [Token("mark", "")] * 5
    for at in range(4, len(padded) - 5):
        name, end = _input(padded, at)
        if name is None:
            continue
        before = padded[at - 4 : at][::-1]
        after = [token for token in padded[end : end + 5] if token.text != "-"]
        for near, far in ((after, before), (before, after)):
            # Not where one side goes on: in `5 < overdue == attributes.vip` the 5 is not compared with vip.
            goes_on = {near[3].text, far[0].text} & _GOES_ON
            if near[0].text + near[1].text in ("==", "!=", "=!") and not goes_on:
                _possible(name, near[2], scope)
        if [token.text for token in after[:2]] == ["in", "["]:
            for token in itertools.takewhile(lambda token: token.text != "]", padded[end + 2 :]):
                _possible(name, token, scope)


def _input(tokens: list[Token], at: int) -> tuple[str | None, int]:
    """The fact or attribute that is named at this token, with the index after it; at least four tokens follow."""
    if tokens[at].kind != "name" or tokens[at - 1].text == ".":
        return None, at
    name, mark, key, *rest = (token.text for token in tokens[at : at + 5])
    if name != "attributes":
        return name, at + 1
    if mark not in (".", "["):
        return None, at  # "region" in attributes
    key, length = (key, 3) if mark == "." else (_content(tokens[at + 2]), 4)
    whole = rest[length - 3] not in (".", "[", "(")
    return (f"attributes.{key}" if whole else None), at + length


def _possible(name: str, token: Token, scope: Scope) -> None:
    literal = "boolean" if token.text in ("true", "false") else token.kind
    kind, values = _kind(name, scope)
    if kind is None or literal not in ("string", "number", "boolean"):
        return
    if kind != literal:
        hint = f"write {name}, or !{name}" if kind == "boolean" else ""
        raise RuleError(f"{name} is a {kind}, and never equals {token.text}", hint)
    if values is not None and _content(token) not in values:
        raise RuleError(f"{name} is never {token.text}", Faults().guess(_content(token), values))


def _kind(name: str, scope: Scope) -> tuple[str | None, Iterable[str] | None]:
    """Which literals an input compares with (None: nobody knows), and its values where they are a closed list."""
    attribute = scope.attributes.get(name.removeprefix("attributes.")) if name.startswith("attributes.") else None
    if attribute is not None:
        closed = attribute.values if attribute.type == "enum" else None
        return {"integer": "number", "number": "number", "boolean": "boolean"}.get(attribute.type, "string"), closed
    if name in LISTED:
        return "string", LISTED[name]
    if name == "segment":
        return "string", scope.segments or None
    if name == "currency":
        return "string", None
    return ("number", None) if name in MEASURE_NAMES - SEGMENT_NAMES else (None, None)


def _literals(tokens: list[Token]) -> tuple[str | int | float, ...]:
    """The strings and numbers that an expression compares with: the trial goes to both sides of each."""
    found: dict[str | int | float, None] = {}
    for token in tokens:
        if token.kind == "string" and token.text[0] in "\"'rR":
            found[_content(token)] = None
        elif token.kind == "number":
            value = evaluated(compiled(token.text), {})
            assert isinstance(value, (int, float))
            found[value] = None
    return tuple(found)


def _content(literal: Token) -> str:
    """What a string literal stands for, said by the language itself."""
    try:
        value = evaluated(compiled(literal.text), {})
    except ConditionFailed as error:
        raise RuleError(str(error)) from error
    return value if isinstance(value, str) else literal.text
