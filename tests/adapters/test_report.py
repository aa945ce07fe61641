"""The laboratory's report: what it says, in both languages, of outcomes of every shape."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path

import pytest

from adapters.report import About, html, outcome_of, written
from adapters.report_words import Words, catalogue, chosen_language
from sim.results import Results
from tests.adapters.outcomes import ABOUT, outcome, promising

HOSTILE = '<script>alert("x")</script>&<b>'
LONG = "a policy of a very long name " * 12
RIGHT_TO_LEFT = "سياسة التحصيل"
SHAPES = {
    "two policies": outcome(),
    "one policy": outcome(("as is",)),
    "one replication": outcome(replications=1),
    "one policy, one replication": outcome(("as is",), 1),
    "five policies": outcome(("a", "b", "c", "d", "e")),
    "hostile names": outcome((HOSTILE, LONG, RIGHT_TO_LEFT), regions=(HOSTILE, LONG, ""), measures=(HOSTILE, LONG)),
    "nothing happened": outcome(nothing=True),
    "small money": outcome(scale=0.002),
    "huge money": outcome(scale=1e11),
    "many regions and measures": outcome(
        regions=[f"region {n}" for n in range(30)], measures=[f"measure {n}" for n in range(30)]
    ),
    "interrupted": outcome(replications=2, interrupted=True),
    "all is warm-up": outcome(warm_up=4),
    "no measure has a price": outcome(measures=()),
}


@cache
def page_of(shape: str, language: str = "en") -> str:
    """The report of a shape: a second or two to draw, and looked at by several tests."""
    return html(SHAPES[shape], ABOUT, language)


class _Tags(HTMLParser):
    """Checks that tags close in the order in which they open, and gathers them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize(
    ("shape", "language"), [*((shape, "en") for shape in SHAPES), ("two policies", "ru"), ("nothing happened", "ru")]
)
def test_a_page_of_its_own(shape: str, language: str) -> None:
    """Whatever the outcome: well-formed, without scripts, with nothing from elsewhere and nothing that is no number."""
    page = page_of(shape, language)
    tags = _Tags(page)
    assert {"script", "iframe", "object", "embed", "img"}.isdisjoint(tag for tag, _ in tags.seen)
    for _, attributes in tags.seen:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page
    assert "@import" not in page
    said = " ".join(tags.text)
    assert not re.search(r"\b(nan|NaN|None|inf|undefined|null)\b", said)
    identities = [attributes["id"] for _, attributes in tags.seen if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_the_same_bytes() -> None:
    """The same outcome is the same report: nothing in it tells when it was made."""
    assert html(outcome(), ABOUT, "en") == page_of("two policies")


def test_what_was_compared() -> None:
    """Policies, portfolio, horizon, replications, seed and file are said, and where the figures come from."""
    said = _said(html(outcome(warm_up=1), ABOUT, "en"))
    for each in ("A made-up operator", "as is", "earlier", "2,000 accounts", "120 days from January 1, 2026"):
        assert each in said
    for each in ("1 month of warm-up not judged", "made-up.toml", "Nowhere: the figures are made up."):
        assert each in said


def test_russian() -> None:
    """All of it: what stands in the page in Latin letters is names and units."""
    said = _said(page_of("two policies", "ru"))
    assert "2 000 лицевых счетов" in said.replace("\u00a0", " ")
    assert "Политика earlier приносит на" in said
    assert "Кто выигрывает и кто теряет" in said
    latin = set(re.findall(r"[A-Za-z]{2,}", said))
    assert latin <= {
        "made", "up", "operator", "everyone", "toml", "as", "is", "earlier", "RUB", "MSK", "SPB", "DSO", "CEI", "warn",
        "ring", "block", "Nowhere", "the", "figures", "are",
    }  # fmt: skip


def test_verdict() -> None:
    """One sentence with its interval: a gain is a gain, a loss a loss, and chance is chance."""
    gain = _said(page_of("two policies"))
    assert re.search(r"earlier brings RUB \S+ more net value than as is\. With 95 % confidence the gain lies", gain)
    lost = outcome()
    lost = type(lost)(results=lost.results, policies=("earlier", "as is"), replications=3)
    assert re.search(r"as is brings RUB \S+ less net value than earlier", _said(html(lost, ABOUT, "en")))


def test_a_policy_against_itself() -> None:
    """No difference at all is said so, and nothing is marked."""
    twice = outcome(("as is",))
    results = twice.results
    months, measures, days = (
        frame.vstack(frame.with_columns(policy=frame["policy"].replace("as is", "again")))
        for frame in (results.months, results.measures, results.days)
    )
    same = type(twice)(
        results=Results(months=months, measures=measures, days=days, month_days=results.month_days),
        policies=("as is", "again"),
        replications=3,
    )
    page = html(same, ABOUT, "en")
    assert "again and as is do not differ in net value at all." in _said(page)
    assert 'class="number better"' not in page
    assert 'class="number worse"' not in page


def test_one_replication_has_no_interval() -> None:
    """The difference is shown, and that nothing follows from it."""
    said = _said(page_of("one replication"))
    assert "One replication only." in said
    assert "Whether that is more than chance cannot be said." in said
    assert "Proven" not in said


def test_base_and_difference_are_of_the_same_replications() -> None:
    """A share that is undefined in some: what stands beside each other are the pairs, and it is said how many."""
    made = promising(outcome(), {("as is", 0): 4, ("as is", 1): 1, ("earlier", 1): 2})
    said = _said(html(made, ABOUT, "en")).replace("\u00a0", " ")
    assert "promises kept (1 of 3 replications) 25.00% +25 pp one replication" in said
    assert "(повторений: 1 из 3) 25,00 % +25 п. п." in _said(html(made, ABOUT, "ru")).replace("\u00a0", " ")


def test_an_interrupted_run_says_so() -> None:
    """How much was done, of how much."""
    said = _said(page_of("interrupted"))
    assert "The run was interrupted. What follows rests on 2 replications of 3." in said
    assert "прерван" in page_of("interrupted", "ru")


def test_segments_are_the_first_policy_s() -> None:
    """Who gains and who loses is shown by segment, and it is said whose segments they are."""
    page = page_of("two policies")
    assert "by policy segment" in page
    assert "Segments are as A · as is draws them." in _said(page).replace("\u00a0", " ")


def test_names_are_text() -> None:
    """A name that looks like markup is shown as it is written, in the page and in its pictures."""
    page = html(SHAPES["hostile names"], About(title=HOSTILE, start=ABOUT.start, file=HOSTILE, source=HOSTILE), "en")
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page
    assert any(HOSTILE[:12] in text for text in _Tags(page).text)


def test_long_names_are_said_in_full_once() -> None:
    """At the head of the page; elsewhere their beginning does."""
    said = _said(page_of("hostile names"))
    assert said.count(LONG.strip()) < said.count(LONG[:40])
    assert LONG.strip() in said


def test_tables_hold_what_pictures_show() -> None:
    """Each picture is hidden from a screen reader, and its numbers are in the table below it."""
    tags = _Tags(page_of("two policies"))
    pictures = [attributes for tag, attributes in tags.seen if tag == "svg"]
    assert len(pictures) > 20
    assert all(attributes["aria-hidden"] == "true" for attributes in pictures)
    assert sum(tag == "details" for tag, _ in tags.seen) == sum(tag == "figure" for tag, _ in tags.seen) == 9


def test_catalogues_have_the_same_keys() -> None:
    """What is said in one language is said in the other, with the same places to fill in."""

    def places(texts: dict[str, object], path: str = "") -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for key, value in texts.items():
            if isinstance(value, dict):
                found |= places(value, f"{path}{key}.")
            elif isinstance(value, str) and not path.startswith("count."):
                found[path + key] = set(re.findall(r"{(\w+)}", value))
        return found

    assert places(catalogue("en")) == places(catalogue("ru"))
    assert catalogue("en")["count"].keys() == catalogue("ru")["count"].keys()


@pytest.mark.parametrize(
    ("language", "value", "said"),
    [
        ("en", 41_150_900, "RUB 412K"),
        ("ru", 41_150_900, "412 тыс. ₽"),
        ("en", -4_115_090, "\u2212RUB 41.2K"),
        ("ru", 5, "0,05 ₽"),
        ("en", 0, "RUB 0"),
        ("ru", 99_999_999_999, "1 млрд ₽"),
    ],
)
def test_money_is_said_as_the_language_has_it(language: str, value: float, said: str) -> None:
    """Three digits, a real minus, and the currency where it stands."""
    words = Words(language=language, currency="RUB", minor_units=100)
    assert words.money(value).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("share", 0.0123, "+1.23 pp"),
        ("share", -0.00001, "\u22120.001 pp"),
        ("count", 0.0, "0"),
        ("count", 1e-17, "0.000"),
        ("count", 0.00004, "+0.00004"),
        ("money", 41_150_900.0, "+411,509"),
        ("money", None, "\u2013"),
    ],
)
def test_differences_in_tables(unit: str, value: float | None, said: str) -> None:
    """Shares differ in points; what is small is not shown as nothing, unless it is."""
    words = Words(language="en", currency="RUB", minor_units=100)
    assert words.shown(unit, value, signed=True).replace("\u00a0", " ") == said


@pytest.mark.parametrize(("number", "said"), [(1, "1 день"), (3, "3 дня"), (5, "5 дней"), (21, "21 день")])
def test_plurals(number: int, said: str) -> None:
    """Russian has three of them."""
    assert Words(language="ru", currency="RUB", minor_units=100).counted("days", number) == said


def test_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was asked for, else the locale's, else English."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    for locale, language in (("ru_RU.UTF-8", "ru"), ("de_DE.UTF-8", "en"), ("C", "en"), ("nonsense", "en")):
        monkeypatch.setenv("LANG", locale)
        assert chosen_language(None) == language
    assert chosen_language("ru") == "ru"
    with pytest.raises(ValueError, match="no language 'xx'"):
        chosen_language("xx")


def test_from_tables_that_were_kept(tmp_path: Path) -> None:
    """What was written as Parquet makes the same report later."""
    made = outcome()
    made.results.write(tmp_path / "r.parquet")
    kept = outcome_of(Results.read(tmp_path / "r.parquet"))
    assert kept.policies == made.policies
    assert html(kept, ABOUT, "en") == page_of("two policies")


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old report stays where the new one cannot be finished, and no draft is left behind."""
    path = tmp_path / "report.html"
    path.write_text("the old one")
    with monkeypatch.context() as broken:
        broken.setattr("os.replace", _fails)
        with pytest.raises(OSError, match="no room"):
            written(path, outcome(("as is",), 1), ABOUT, "en")
    assert path.read_text() == "the old one"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    written(path, outcome(("as is",), 1), ABOUT, "en")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def _fails(*_: object) -> None:
    raise OSError("no room")


def _said(page: str) -> str:
    """The text of a page without the marks that isolate names."""
    body = page[page.index("<body>") : page.index("</body>")] + "</body>"
    text = " ".join(" ".join(_Tags(body).text).split())
    return text.replace("\u2068", "").replace("\u2069", "")


def test_the_readme_draws_one_from_kept_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines work as they stand there."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    lines = next(each for each in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "outcome_of" in each)
    (tmp_path / "lines.py").write_text(lines, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    outcome().results.write(Path("out.parquet"))
    run_path("lines.py")
    assert '<html lang="en">' in Path("out.html").read_text(encoding="utf-8")
