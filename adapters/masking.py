"""Masking: what debtors are called, how they are reached and where they live never gets into a log; ids do.

Two nets. By key: a value whose name says that it is personal (or secret) is not shown at all. By pattern: telephone
numbers, e-mail addresses and passwords of URLs are taken out of every text, and so is what a database says about the
rows of a statement that failed. A name in free text cannot be told from any other word, so nothing of ours puts data
into words: what is personal has a key.
"""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

MASK: Final = "***"
_DEPTH_MAX: Final = 6
_ITEMS_MAX: Final = 100
_TEXT_MAX: Final = 20_000

_PERSONAL: Final = frozenset(
    "name names surname patronymic fio initials debtor phone phones telephone mobile msisdn fax mail mails email emails"
    " address addresses street house flat postcode birthday birth passport inn snils contact contacts recipient"
    " params parameters attributes data body payload note comment document"
    " имя фамилия отчество фио телефон почта адрес улица паспорт инн снилс получатель".split()
)
_SECRET: Final = frozenset("password passwd secret token authorization cookie credentials пароль".split())
_IDS: Final = frozenset("id ids profile subject correlation command breaker source".split())
_WORDS: Final = re.compile(r"[A-ZА-ЯЁ]?[a-zа-яё]+|[A-ZА-ЯЁ]+(?![a-zа-яё])")

_URL_USER: Final = re.compile(r"(?<=://)[^/\s]{1,500}@")
_EMAIL: Final = re.compile(r"[^\s@<>()\[\],;:\"\\]{1,64}(?<!\*\*\*)@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# Digits that stand alone: in ACC-79991234567, I-1/79991234567/2 and 0.79991234567 they do not.
_ALONE: Final = r"(?<![\w/+-])(?<!\d[.,])"
_END: Final = r"(?![\w/]|[-.,]\w)"
_LAST_SEVEN: Final = r"\d{3}[\s.-]{0,2}\d{2}[\s.-]{0,2}\d{2}"
_PHONE: Final = re.compile(
    rf"\+\d(?:[\s().-]{{0,2}}\d){{8,14}}"  # any country's, in full
    rf"|{_ALONE}[78][\s.-]{{0,2}}\(?\d{{3}}\)?[\s.-]{{0,2}}{_LAST_SEVEN}{_END}"  # 8 (495) 123-45-67
    rf"|{_ALONE}\(?9\d{{2}}\)?[\s.-]{{0,2}}{_LAST_SEVEN}{_END}"  # 916 123-45-67
    rf"|(?<!\w)\(\d{{3,5}}\)[\s.-]{{0,2}}\d{{1,3}}[\s.-]{{0,2}}\d{{2}}[\s.-]{{0,2}}\d{{2}}{_END}"  # (49624) 1-23-45
)
# What PostgreSQL adds to an error, in English or Russian, and SQLAlchemy: values of rows, and statements with values.
_ASIDE: Final = re.compile(
    r"\s*(?:\b(?:DETAIL|CONTEXT|HINT|QUERY|STATEMENT|WHERE|ПОДРОБНОСТИ|КОНТЕКСТ|ПОДСКАЗКА|ЗАПРОС|ОПЕРАТОР):"
    r"|\b(?:LINE|СТРОКА) \d+:|\[(?:SQL|parameters):).*",
    re.DOTALL,
)
_INVALID_INPUT: Final = re.compile(r"(invalid input (?:syntax|value) for [^:]{1,80}:|неверн[^:]{1,80}:) .*", re.DOTALL)
_WITHHELD: Final = " (details withheld)"
_DATA_EXCEPTION: Final = "22"


def masked_text(text: str) -> str:
    """A text without telephone numbers, e-mail addresses, passwords of URLs and what a database says about rows."""
    text = text[:_TEXT_MAX]
    text = _ASIDE.sub(_WITHHELD, text)
    text = _INVALID_INPUT.sub(rf"\1 {MASK}", text)
    if "@" in text:
        text = _URL_USER.sub(f"{MASK}@", text)
        text = _EMAIL.sub(MASK, text)
    return _PHONE.sub(MASK, text)


def masked(value: object, key: str = "", depth: int = 0) -> object:
    """A value as it may be logged under ``key``: plain data, however deep, with a limit on everything."""
    words = frozenset(word.lower() for word in _WORDS.findall(key))
    if not words.isdisjoint(_SECRET) or (not words.isdisjoint(_PERSONAL) and words.isdisjoint(_IDS)):
        return value if value is None or isinstance(value, bool) else MASK
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value[:_TEXT_MAX] if not words.isdisjoint(_IDS) else masked_text(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseException):
        return said_by(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth == _DEPTH_MAX:
            return MASK
        if isinstance(value, Mapping):
            return {masked_text(str(k)): masked(inner, str(k), depth + 1) for k, inner in _first(value.items())}
        return [masked(each, key, depth + 1) for each in _first(value)]
    # Of an object only its class is sure to be no data.
    return masked_text(str(value)) if type(value).__str__ is not object.__str__ else f"<{type(value).__name__}>"


def mask(logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor: the words of an entry are a text, everything else goes by its key."""
    for key, value in event.items():
        event[key] = masked_text(str(value)) if key == "event" else masked(value, key)
    return event


def said_by(error: BaseException) -> str:
    """What an exception says, on one line and without data: of a database's error the primary message alone."""
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException) and original is not error:  # SQLAlchemy's, around the driver's
        return said_by(original)
    diagnosis = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    said = primary if isinstance(primary, str) else str(error)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and state.startswith(_DATA_EXCEPTION):
        # 'invalid input syntax for type bigint: "…"', 'value "…" is out of range': the value is in the message itself.
        said = re.sub(r'[«"].*[»"]', f'"{MASK}"', said, flags=re.DOTALL)
    return " ".join(masked_text(said).split())


def _first(values: Iterable[Any]) -> Iterable[Any]:
    for number, value in enumerate(values):
        if number == _ITEMS_MAX:
            return
        yield value
