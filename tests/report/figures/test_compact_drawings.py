"""Drawings are written small, and nothing that is seen or referred to gets lost."""

from __future__ import annotations

import re
from io import BytesIO
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from bench.report.figures.layout import compacted

WORDS = 'd="1.23456  M 1 x=7.65432 <g id="a"></g> rotate(-0 1 2)'


@pytest.fixture
def drawing() -> str:
    figure, buffer = Figure(figsize=(4, 3)), BytesIO()
    ax = figure.subplots()
    ax.plot([0, 1 / 3, 1], [0, 2 / 3, 1], "o-", label=WORDS)
    ax.fill_between([0, 1], [0, 0.3], [0.2, 0.7], alpha=0.2)
    ax.set_xlim(0, 0.9)
    ax.set_ylabel("score 0.123456")
    ax.legend()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "one"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def test_words_stay_as_they_are_and_references_are_kept(drawing: str) -> None:
    small = compacted(drawing)
    assert len(small) < 0.75 * len(drawing)
    before, after = ElementTree.fromstring(drawing), ElementTree.fromstring(small)
    texts = [[each.text for each in root.iter("{http://www.w3.org/2000/svg}text")] for root in (before, after)]
    assert texts[0] == texts[1]
    assert {WORDS, "score 0.123456"} <= set(texts[1])
    assert [it.tag for it in _drawn(before)] == [it.tag for it in _drawn(after)]
    referred = re.findall(r'(?:href="#|url\(#)([\w.-]+)', small)
    assert referred
    assert set(referred) <= {each.get("id") for each in after.iter()}


def test_places_move_by_less_than_a_hundredth(drawing: str) -> None:
    roots = [ElementTree.fromstring(text) for text in (drawing, compacted(drawing))]
    for one, other in zip(*map(_drawn, roots), strict=True):
        for name in ("d", "x", "y"):
            places = [[float(each) for each in re.findall(r"-?\d+\.?\d*", it.get(name, ""))] for it in (one, other)]
            assert places[0] == pytest.approx(places[1], abs=0.006)


def test_a_group_that_cuts_or_moves_what_it_holds_is_kept() -> None:
    svg = (
        '<svg><g id="axes_1"><g clip-path="url(#a)"><g><path d="M 1 2 \nL 3 4 \nz\n"/></g></g><g id="none"/></g></svg>'
    )
    assert compacted(svg) == '<svg><g clip-path="url(#a)"><path d="M1 2L3 4z"/></g></svg>'


def test_what_markers_share_is_said_once() -> None:
    white, black = (f'style="fill: {colour}"' for colour in ("#fff", "#000"))
    svg = f'<svg>\n<use x="1" {white}/>\n<use x="2" {white}/>\n<use x="3" {black}/>\n</svg>'
    both = f'<g {white}>\n<use x="1"/>\n<use x="2"/>\n</g>'
    assert compacted(svg) == f'<svg>\n{both}\n<use x="3" {black}/>\n</svg>'


def _drawn(root: ElementTree.Element) -> list[ElementTree.Element]:
    """All but groups, of which those that only have a name are left out."""
    return [each for each in root.iter() if not each.tag.endswith("}g")]
