"""The report in Debian's Chromium: three widths, light and dark and on paper, with outcomes that strain the page."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from adapters.report import html
from tests.adapters.outcomes import ABOUT, outcome
from tests.services.missing import missing

WIDTHS: Final = (360, 768, 1440)
LONG: Final = "a-policy-of-a-very-long-name-without-a-space" * 5
CONTRAST_MIN: Final = 4.5
"""What WCAG asks of text (level AA)."""

# The luminances of what is written and of what it is written on, for each piece of text that is seen.
CONTRASTS: Final = r"""() => {
  const light = colour => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
    const part = v => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
    return [0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b), a];
  };
  const behind = node => {
    for (let each = node; each; each = each.parentElement) {
      const [value, alpha] = light(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return value;
    }
    return 1;
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility() || node.closest('style')) continue;
    const style = getComputedStyle(node);
    const [ink] = light(node instanceof SVGElement ? style.fill : style.color);
    const paper = behind(node);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    found.push([ratio, walk.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    made = {
        "en": (outcome(), "en"),
        "ru": (outcome(), "ru"),
        "strained": (outcome(("a", LONG, "سياسة التحصيل", "d", "e"), scale=1e11, regions=(LONG, "")), "en"),
        "alone": (outcome(("as is",), 1), "en"),
    }
    paths = {}
    for name, (of, language) in made.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(html(of, ABOUT, language), encoding="utf-8")
    return paths


def opened(chromium: Browser, path: Path, width: int, scheme: str) -> tuple[Page, list[str]]:
    """A page, and what went wrong while it was loaded."""
    page = chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.goto(path.as_uri())
    return page, wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["en", "ru", "strained", "alone"])
def test_fits_and_can_be_read(name: str, width: int, scheme: str, chromium: Browser, reports: dict[str, Path]) -> None:
    """The page never scrolls sideways, its tables unfolded; nothing fails, nothing is fetched; text has its contrast,
    in the pictures too."""
    page, wrong = opened(chromium, reports[name], width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert wrong == []
    seen = page.evaluate(CONTRASTS)
    assert len(seen) > 100
    assert [each for each in seen if each[0] < CONTRAST_MIN] == []
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_letters_of_pictures_are_large_enough(width: int, chromium: Browser, reports: dict[str, Path]) -> None:
    """Each picture is drawn for its place: its letters are never shrunk to less than nine pixels."""
    page, _ = opened(chromium, reports["en"], width, "light")
    sizes = page.evaluate(
        "[...document.querySelectorAll('.picture svg text')].filter(each => each.checkVisibility())"
        ".map(each => parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a)"
    )
    assert len(sizes) > 50
    assert min(sizes) >= 9
    page.close()


def test_on_paper(chromium: Browser, reports: dict[str, Path]) -> None:
    """Light even where the screen is dark, the tables unfolded, each picture once."""
    page, _ = opened(chromium, reports["en"], 768, "dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.querySelector('details table').getBoundingClientRect().height") > 50
    assert page.evaluate("[...document.querySelectorAll('.narrow')].every(each => !each.checkVisibility())")
    seen = page.evaluate(CONTRASTS)
    assert [each for each in seen if each[0] < CONTRAST_MIN] == []
    paper = page.pdf(format="A4")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 20
    page.close()
