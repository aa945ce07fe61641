"""The report's charts: Vega-Lite specifications drawn once into SVG that needs no script.

Colours are names of the page's CSS variables (``var(--p0)``) and text is ``currentColor``, so that one picture is right
in the light, in the dark and on paper. Policies appear under their letters and so never bring a name of somebody else's
into a picture; colour is never alone: lines differ in dashes too and carry their letter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import altair as alt
import vl_convert
from markupsafe import Markup

from adapters.report_words import Words

Point = dict[str, Any]
DASHES: Final = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (4, 4, 1, 4))
COLOURS: Final = 6
_TAG: Final = re.compile(r"<[^<>]*>")
_DIGITS: Final = re.compile(r"(\d\.\d)\d+")
_PLACES: Final = re.compile(r' (?:d|transform|x1|x2|y1|y2|x|y)="[^"]*"')
_OPENING: Final = re.compile(r'<svg [^>]*?viewBox="([^"]*)">')
_IDLE: Final = re.compile(
    r'^<path class="(?:foreground|background)"[^>]*/>$| (?:class|role|aria-\w+|pointer-events)="[^"]*"'
    r'| opacity="1"| font-family="[^"]*"| stroke-miterlimit="10"'
)


class Look(NamedTuple):
    """How large a picture is drawn, in units of its view box; ``font`` is the size of its letters,
    ``margin`` what is left free on the left."""

    width: int
    height: int
    font: int
    margin: int = 6


WIDE: Final = Look(660, 320, 13)
NARROW: Final = Look(340, 270, 12)
SMALL: Final = Look(330, 220, 12)


def colour_of(index: int) -> str:
    """The colour of a policy."""
    return f"var(--p{index % COLOURS})"


def dash_of(index: int) -> list[int]:
    """The dashes of a policy's line; together with the colour no two of thirty are alike."""
    return list(DASHES[index % len(DASHES)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Artist:
    """Draws for ``letters``, the policies' short names in order, in a language."""

    words: Words
    letters: tuple[str, ...]

    def lines(
        self, points: Sequence[Point], look: Look, axis: str, *, share: bool = False, zero: bool = False
    ) -> Markup:
        """A line a policy through ``at`` and ``value``, with a band where a point has ``low`` and ``high``."""
        y_axis = self._number_axis(share=share)
        x = alt.X(
            "at:T",
            scale=alt.Scale(type="utc"),
            axis=self._time_axis([point["at"] for point in points], look),
            title=None,
        )
        y = alt.Y("value:Q", axis=y_axis, title=axis)
        layers: list[Any] = []
        if zero:
            layers.append(_zero(alt.Y("value:Q", axis=y_axis, title=axis)))
        banded = [point for point in points if "low" in point]
        ends = _line_ends(points)
        if banded:
            low = alt.Y("low:Q", axis=y_axis, title=axis)
            band = _chart("banded").mark_area(opacity=0.18)
            layers.append(band.encode(x=x, y=low, y2="high:Q", color=self._colour()))
        line = _chart("points").mark_line(strokeWidth=2.2)
        layers.append(line.encode(x=x, y=y, color=self._colour(), strokeDash=self._dash()))
        letters = _chart("ends").mark_text(align="left", dx=5, fontWeight="bold", fontSize=look.font)
        height = alt.Y("label_at:Q", axis=y_axis, title=axis)
        layers.append(letters.encode(x=x, y=height, text="p:N", color=self._colour()))
        return self._drawn(alt.layer(*layers), look, points=points, banded=banded, ends=ends)

    def stacks(
        self, points: Sequence[Point], look: Look, axis: str, parts: Sequence[str], top: float, prefix: str
    ) -> Markup:
        """A column a month (``at``) of ``value`` by ``part``, the first of ``parts`` lowest, up to ``top`` at least."""
        scale = alt.Scale(domain=[0, top], nice=True) if top > 0 else alt.Scale(domain=[0, 1])
        colours = [f"var(--{prefix}{number})" for number in range(len(parts))]
        months = list(dict.fromkeys(point["at"] for point in points))
        chart = (
            _chart("points")
            .mark_bar(stroke="var(--card)", strokeWidth=0.6)
            .encode(
                x=alt.X("at:O", axis=alt.Axis(**self._month_axis(months, look)), title=None),
                y=alt.Y("value:Q", axis=self._number_axis(), title=axis, scale=scale),
                color=alt.Color("part:N", scale=alt.Scale(domain=list(parts), range=colours), legend=None),
                order=alt.Order("rank:Q"),
            )
        )
        return self._drawn(chart, look, points=points)

    def bars(self, points: Sequence[Point], look: Look, axis: str) -> Markup:
        """A bar for each ``row`` and policy, as long as ``value``, with ``said`` at its end."""
        rows = list(dict.fromkeys(point["row"] for point in points))
        top = max((point["value"] for point in points), default=0.0)
        # Room for what is written at the ends.
        scale = alt.Scale(domain=[0, top * (1.3 if look.width > 400 else 1.45) or 1.0], nice=False)
        x = alt.X("value:Q", axis=self._number_axis(count=4), title=axis, scale=scale)
        bar = _chart("points").encode(x=x, y=self._rows(rows, look), yOffset=self._offset(self.letters))
        drawn = alt.layer(
            bar.mark_bar(height={"band": 0.9}).encode(color=self._colour()),
            bar.mark_text(align="left", dx=4, fontSize=look.font - 1, color="currentColor").encode(text="said:N"),
        )
        return self._drawn(drawn, _tall(look, len(rows), len(self.letters)), points=points)

    def dots(self, points: Sequence[Point], look: Look, axis: str) -> Markup:
        """A dot at ``value`` for each ``row`` and policy, with a line from ``low`` to ``high`` where it has them."""
        rows = list(dict.fromkeys(point["row"] for point in points))
        x_axis = self._number_axis(count=5 if look.width > 400 else 3)
        x = alt.X("value:Q", axis=x_axis, title=axis)
        layers: list[Any] = [_zero(x)]
        place = _chart("points").encode(y=self._rows(rows, look), yOffset=self._offset(self.letters[1:]))
        if any("low" in point for point in points):
            low = alt.X("low:Q", axis=x_axis, title=axis)
            layers.append(place.mark_rule(strokeWidth=2).encode(x=low, x2="high:Q", color=self._colour()))
        layers.append(place.mark_point(filled=True, size=70, opacity=1).encode(x=x, color=self._colour()))
        if len(self.letters) > 2:
            letter = place.mark_text(dy=-8, fontWeight="bold", fontSize=look.font - 2)
            layers.append(letter.encode(x=x, text="p:N", color=self._colour()))
        return self._drawn(alt.layer(*layers), _tall(look, len(rows), len(self.letters) - 1), points=points)

    def _rows(self, rows: list[Any], look: Look) -> alt.Y:
        limit = 170 if look.width > 400 else 105
        axis = alt.Axis(labelLimit=limit, labelPadding=6, ticks=False, domain=False, grid=False)
        return alt.Y("row:N", sort=rows, axis=axis, title=None, scale=alt.Scale(paddingInner=0.25))

    def _offset(self, letters: Sequence[str]) -> alt.YOffset:
        return alt.YOffset("p:N", sort=list(letters), scale=alt.Scale(domain=list(letters)))

    def _colour(self) -> alt.Color:
        colours = [colour_of(index) for index in range(len(self.letters))]
        return alt.Color("p:N", scale=alt.Scale(domain=list(self.letters), range=colours), legend=None)

    def _dash(self) -> alt.StrokeDash:
        dashes = [dash_of(index) for index in range(len(self.letters))]
        return alt.StrokeDash("p:N", scale=alt.Scale(domain=list(self.letters), range=dashes), legend=None)

    def _number_axis(self, *, share: bool = False, count: int = 5) -> alt.Axis:
        if share:
            return alt.Axis(tickCount=count, labelFlush=False, format="~%")
        return alt.Axis(tickCount=count, labelFlush=False)

    def _month_axis(self, months: Sequence[str], look: Look) -> dict[str, Any]:
        """Names of months for as many of ``months`` (ISO dates) as there is room for, with the year where it begins."""
        room = 12 if look.width > 400 else 5
        step = next(each for each in (1, 2, 3, 6, *range(12, 6_000, 12)) if len(months) <= each * room)
        named = list(months[::step])
        years = [month for place, month in enumerate(named) if not place or month[:4] != named[place - 1][:4]]
        year = f"indexof({years}, utcFormat(toDate(datum.value), '%Y-%m-%d')) < 0"
        said = f"[utcFormat(toDate(datum.value), '%b'), {year} ? '' : utcFormat(toDate(datum.value), '%Y')]"
        return {"values": named, "labelExpr": said, "labelAngle": 0, "grid": False, "labelOverlap": False}

    def _time_axis(self, days: Sequence[str], look: Look) -> alt.Axis:
        """Months; days where there are not two months' beginnings to name."""
        months = [f"{month}-01" for month in sorted({day[:7] for day in days}) if days and f"{month}-01" >= min(days)]
        if len(months) < 2:
            return alt.Axis(format="%d %b", tickCount=4, grid=False)
        axis = self._month_axis(months, look)
        instants = [datetime.fromisoformat(f"{month}T00:00:00Z").timestamp() * 1_000 for month in axis["values"]]
        return alt.Axis(**(axis | {"values": instants}))

    def _drawn(self, chart: Any, look: Look, **data: Sequence[Point]) -> Markup:
        sized = chart.properties(
            width=look.width, height=look.height, autosize=alt.AutoSizeParams(type="fit", contains="padding")
        )
        # Not validated, which takes longer than to draw: what Vega-Lite cannot read, it refuses.
        spec = sized.to_dict(validate=False) | {"datasets": data | {"zero": [{"value": 0}]}}
        svg = vl_convert.vegalite_to_svg(
            spec,
            config=_style(look),
            format_locale=self.words.number_format(),
            time_format_locale=self.words.time_format(),
            allowed_base_urls=[],
        )
        return Markup(_slim(svg))  # text is escaped by Vega


def _chart(data: str) -> Any:
    """A chart of a named data set. Altair's own types do not know which mark and encoding go together."""
    return alt.Chart(alt.NamedData(name=data))


def _zero(channel: alt.X | alt.Y) -> Any:
    """A line where nothing differs."""
    rule = _chart("zero").mark_rule(color="currentColor", strokeWidth=1.2)
    return rule.encode(x=channel) if isinstance(channel, alt.X) else rule.encode(y=channel)


def _tall(look: Look, rows: int, policies: int) -> Look:
    """As high as the rows need, with room for their names."""
    return look._replace(height=64 + rows * (20 * policies + 12), margin=26)


def _line_ends(points: Sequence[Point]) -> list[Point]:
    """The last point of each line with a height for its letter, apart from the others' as far as there is room."""
    last = {point["p"]: point for point in points}
    reach = [0.0, *(point[end] for point in points for end in ("value", "low", "high") if end in point)]
    lowest, highest = min(reach), max(reach)
    gap = 0.065 * (highest - lowest)
    ends: list[Point] = []
    height = float("-inf")
    for point in sorted(last.values(), key=lambda each: float(each["value"])):
        height = max(point["value"], height + gap)
        ends.append({"at": point["at"], "p": point["p"], "label_at": height})
    above = max((end["label_at"] for end in ends), default=0.0) - highest
    if above > 0:
        for end in ends:
            end["label_at"] -= above
    return ends


def _style(look: Look) -> dict[str, Any]:
    return {
        "background": None,
        "aria": False,
        "font": "Liberation Sans",
        # What reads it may have wider letters than those that it is measured with.
        "padding": {"left": look.margin, "right": 18, "top": 8, "bottom": 4},
        "view": {"stroke": None},
        "axis": {
            "labelColor": "currentColor",
            "titleColor": "currentColor",
            "gridColor": "var(--grid)",
            "domainColor": "var(--line)",
            "tickColor": "var(--line)",
            "labelFontSize": look.font,
            "titleFontSize": look.font,
            "titleFontWeight": "normal",
            "titleLimit": look.width - 40,
        },
        "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0, "titleY": -10},
    }


def _slim(svg: str) -> str:
    """Only what is seen: a picture in the page that is as wide as its place."""
    found = _OPENING.match(svg)
    if found is None:
        raise ValueError("no picture came out of Vega")
    # Within tags only: what is text stays as it is.
    inside = _TAG.sub(lambda tag: _slim_tag(tag[0]), svg[found.end() :])
    return f'<svg viewBox="{found[1]}" aria-hidden="true" focusable="false">{inside}'


def _slim_tag(tag: str) -> str:
    return _PLACES.sub(lambda place: _DIGITS.sub(r"\1", place[0]), _IDLE.sub("", tag))
