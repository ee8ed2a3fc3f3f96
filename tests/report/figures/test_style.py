"""How lines look: one look per method in every figure, told apart by the colour-blind, on white and on dark."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as Xml

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from bench.report.figures.captioned import CaptionedFigure, captioned_figures
from bench.report.figures.curves import Curve
from bench.report.figures.layout import SETTINGS
from bench.report.figures.style import COLOURS, SHADES, inked, styles_of
from bench.report.files import collect
from bench.report.page.drawing import VARIABLES, glyph

SVG = "{http://www.w3.org/2000/svg}"
STYLE = (files("bench.report.page") / "style.css").read_text()
SCHEMES = ("light", "dark", "print")
# Machado, Oliveira and Fernandes 2009, severity 1.0: what those see who lack one kind of cone, of linear RGB
VISION = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> Any:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's ratio."""
    dark, light = sorted(float(linear(colour) @ TO_XYZ[1]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: Any) -> Any:
    ratios = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def variables(scheme: str) -> dict[str, str]:
    """The page's colours by name."""
    light, dark, printed = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    own = {"light": light, "dark": light + dark, "print": light + printed}[scheme]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-fA-F]{3,8});", own))


def palette(scheme: str) -> list[str]:
    known = variables(scheme)
    return [known[f"c{place}"] for place in range(len(COLOURS))]


def test_the_page_has_the_figures_colours_on_white() -> None:
    for scheme in ("light", "print"):
        assert palette(scheme) == list(COLOURS)
    assert {VARIABLES[inked(colour, shade).lower()] for colour in COLOURS for shade in SHADES} == {
        f"var(--c{place})" if not shade else f"color-mix(in srgb, var(--c{place}) {100 * (1 - shade):.0f}%, var(--ink))"
        for place in range(len(COLOURS))
        for shade in SHADES
    }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_stand_out_and_are_told_apart_by_the_colour_blind(scheme: str) -> None:
    paper = variables(scheme)["paper"]
    assert min(contrast(colour, paper) for colour in palette(scheme)) >= 3  # WCAG 1.4.11
    for matrix in VISION.values():
        seen = [lab(np.array(matrix) @ linear(colour)) for colour in palette(scheme)]
        assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)) >= 14


@pytest.mark.parametrize("scheme", SCHEMES)
def test_words_can_be_read(scheme: str) -> None:
    known = variables(scheme)
    words = ("ink", "muted", "link", "right", "wrong", "better")
    low = {(word, on) for word in words for on in ("paper", "raised") if contrast(known[word], known[on]) < 4.5}
    assert low == set()


def test_settings_of_a_method_are_shades_and_dashes_of_its_look(cell: Any, record: Any, store: Any) -> None:
    made = [record(cell(settings={"length": n}, given={"length": n}), 60.0) for n in (4, 8, 16, 32)]
    made += [record(cell(), 61.0), record(cell(method="finetune"), 62.0)]
    styles = styles_of(collect([store(made).path], {}).frame)
    labels = ["ptv2", *(f"ptv2 (length={n})" for n in (4, 8, 16, 32))]
    looks = [styles.style_of("ptv2", setting=label) for label in labels]
    assert {(look.base, look.marker) for look in looks} == {(COLOURS[1], "s")}
    assert len({(look.colour, str(look.dash)) for look in looks}) == 5
    assert (looks[0].colour, looks[0].dash) == (COLOURS[1], "-")  # the line with the default settings
    assert styles.style_of("finetune", setting="finetune").base == COLOURS[0]


def test_families_have_dashes_of_their_own(cell: Any, record: Any, store: Any) -> None:
    frame = collect([store([record(cell(method=name), 60.0) for name in ("a", "b")]).path], {}).frame
    styles = styles_of(frame, families=("decoders", "encoders"))
    curves = [Curve(name, name, (), family=family) for name in ("a", "b") for family in ("decoders", "encoders")]
    looks = styles.of_curves(curves)
    for name in ("a", "b"):
        one, other = looks[name, "decoders"], looks[name, "encoders"]
        assert (one.colour, one.marker) == (other.colour, other.marker)
        assert one.dash != other.dash
    assert looks["a", "encoders"].dash == looks["b", "encoders"].dash == styles.style_of("a", "encoders").dash


def legend(figure: CaptionedFigure) -> dict[str, tuple[str, str]]:
    """What is drawn in the legend of a figure's SVG: per name the colour and the outline of its marker."""
    buffer = BytesIO()
    with mpl.rc_context(SETTINGS):  # as matplotlib writes it: its groups, which are not kept, have names
        figure.drawing.savefig(buffer, format="svg")
    root = Xml.fromstring(buffer.getvalue())
    groups = list(root.iter(f"{SVG}g"))
    (whole,) = [group for group in groups if group.get("id") == "figure_1"]
    of_figure = [group for group in whole if not str(group.get("id")).startswith(("patch", "axes"))]
    words = [group.find(f"{SVG}text").text for group in of_figure if str(group.get("id")).startswith("text")]
    samples = [group for group in of_figure if str(group.get("id")).startswith("line2d")]
    outlines = {path.get("id"): str(path.get("d")) for path in root.iter(f"{SVG}path") if path.get("id")}
    drawn = {}
    for name, sample in zip(words, samples, strict=False):
        marks = sample.find(f".//{SVG}use")
        if marks is not None:
            colour = re.search(r"fill: (#\w{6})", str(marks.get("style")))
            assert colour
            outline = outlines[str(marks.get("{http://www.w3.org/1999/xlink}href"))[1:]]
            drawn[str(name)] = (colour[1], outline)
    return drawn


def test_a_dozen_lines_of_a_method_have_points_that_differ() -> None:
    lengths = range(1, 13)
    frame = pd.DataFrame(
        [
            {"suite": "s", "method": "ptv2", "label": f"ptv2 (length={n})", "id": n, "given": {"length": n}}
            for n in lengths
        ]
    )
    styles = styles_of(frame)
    looks = [styles.style_of("ptv2", setting=f"ptv2 (length={n})") for n in lengths]
    drawn = [(look.point()["color"], look.point().get("fillstyle", "full")) for look in looks]
    assert len(set(drawn)) == 12
    assert len({str(glyph(look)) for look in looks}) == 12
    assert {look.point(published=True)["mfc"] for look in looks} == {"white"}
    assert {look.line().get("fillstyle") for look in looks} == {None}  # a dash tells lines apart


def test_a_method_has_one_colour_and_marker_in_all_figures(cell: Any, record: Any, store: Any) -> None:
    methods = ("finetune", "prompt_tuning", "ptuning_v1", "ptv2")
    records = []
    for place, method in enumerate(methods):
        for model in ("small", "large"):
            for task in ("rte", "cb"):
                made = record(cell(task, model, method, settings={"head": "linear"}), 60.0 + place)
                sizes = made.parameters.model_copy(update={"stored": 10 ** (3 + place)})
                records.append(made.model_copy(update={"parameters": sizes}))
    figures = captioned_figures(collect([store(records).path], {}))
    assert [figure.name for figure in figures] == ["scale-superglue", "scale-superglue-tasks", "cost-superglue"]
    lines, again, points = (legend(figure) for figure in figures)
    assert lines == again == points
    assert [lines[name][0] for name in methods] == [colour.lower() for colour in COLOURS[:4]]
    assert len({look[1] for look in lines.values()}) == 4
