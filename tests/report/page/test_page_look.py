"""How the page looks in Chromium: on a phone, in light, dark and print, by one look per method, and for axe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.store.store import Store
from tests.report.conftest import make_cell, make_record, write_report
from tests.report.page.conftest import DESKTOP, js, show

METHODS = ("finetune", "prompt_tuning", "ptuning_v1", "ptv2")
PHONES = ((390, 844), (320, 568))
SMALLEST = 9.0  # CSS pixels of type in a drawing, as it is shown
AXE = os.environ.get("AXE", "axe.min.js")  # axe-core's file, where there is one


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of all kinds of figures: model sizes, tasks, a swept length, a choice and costs."""
    store = Store.create(tmp_path_factory.mktemp("look") / "results")
    settings: list[dict[str, Any]] = [{}, {"length": 8}, {"length": 64}, {"head": "verbalizer"}]
    for at, method in enumerate(METHODS):
        for task in ("rte", "cb"):
            for model in ("small", "medium", "large"):
                for seed in (0, 1):
                    for given in settings if method == "ptv2" else settings[:1]:
                        cell = make_cell(
                            task, model, method, seed, settings={"head": "linear", "length": 20} | given, given=given
                        )
                        record = make_record(cell, 60.0 + 4 * at + seed + len(given))
                        sizes = record.parameters.model_copy(update={"stored": 10 ** (3 + at)})
                        store.write(record.model_copy(update={"parameters": sizes}))
    (path,) = write_report([store.path], {"html"}, {})
    return path.as_uri()


@pytest.fixture
def page(driver: Any, address: str) -> Iterator[Any]:
    show(driver, DESKTOP)
    driver.get(address)
    yield driver
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def scheme(page: Any, name: str) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]})


@pytest.mark.parametrize("phone", PHONES)
def test_a_phone_shows_verdicts_averages_and_figures_whole(page: Any, phone: tuple[int, int]) -> None:
    show(page, phone)
    assert js(page, "[document.documentElement.scrollWidth, innerWidth]") == [phone[0]] * 2
    within = "[...document.querySelectorAll(arguments[0])].map((n) => n.getBoundingClientRect().right - innerWidth)"
    assert max(js(page, within, "table.verdicts tr > :not(.aside)")) <= 0
    assert max(js(page, within, "table.scores td[data-task=average]")) <= 0
    assert max(js(page, within, "figure, .drawn svg, .legend li, .plot h4, .beneath")) <= 0
    cut = "(n) => n.parentNode.scrollWidth > n.parentNode.clientWidth"
    assert js(page, f"[...document.querySelectorAll('table.verdicts')].filter({cut}).length") == 0


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_words_in_drawings_can_be_read(page: Any, width: int) -> None:
    show(page, (width, 800))
    sizes = """[...document.querySelectorAll('.drawn svg')].filter((svg) => svg.getBoundingClientRect().width)
        .flatMap((svg) => [...svg.querySelectorAll('text')].map((text) => parseFloat(getComputedStyle(text).fontSize)
          * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"""
    found = js(page, sizes)
    assert len(found) > 50
    assert min(found) >= SMALLEST


def test_captions_are_the_page_s_text_and_drawings_have_names(page: Any) -> None:
    names = "[...document.querySelectorAll('figure h3')].map((n) => n.textContent.split(': ')[1])"
    assert js(page, names) == [
        "score against model size", "each task against model size", "score by head", "score against length",
        "score against cost",
    ]  # fmt: skip
    assert js(page, "document.querySelectorAll('figure').length === document.querySelectorAll('figcaption').length")
    assert js(page, "[...document.querySelectorAll('figcaption')].every((n) => n.textContent.includes('interval'))")
    assert not js(page, "[...document.querySelectorAll('.drawn text')].some((n) => n.textContent.includes('interval'))")
    said = js(page, "[...document.querySelectorAll('.drawn')].map((n) => [n.role, n.ariaLabel])")
    assert {role for role, _ in said} == {"img"}
    assert len({label for _, label in said}) >= 5


def test_a_method_looks_the_same_wherever_it_is_named(page: Any) -> None:
    looks = """Object.fromEntries(arguments[0].map((name) => [name, [...new Set(
        [...document.querySelectorAll('.label, .legend li, .answers li')]
          .filter((n) => [...n.querySelectorAll('span, strong')].some((word) => word.textContent === name))
          .map((n) => [...n.querySelectorAll('svg path')].at(-1))
          .map((path) => path.getAttribute('d') + ' ' + getComputedStyle(path).fill))]]))"""
    found = js(page, looks, list(METHODS))
    assert {name: len(of_name) for name, of_name in found.items()} == dict.fromkeys(METHODS, 1)
    assert len({look for of_name in found.values() for look in of_name}) == len(METHODS)
    drawn = """[...document.querySelectorAll('.drawn [style*="--c"]')]
        .map((n) => n.getAttribute('style').match(/--c\\d/)[0])"""
    assert set(js(page, drawn)) == {"--c0", "--c1", "--c2", "--c3"}


def test_the_harness_s_words_are_explained_where_they_first_stand(page: Any) -> None:
    text = js(page, "document.querySelector('main').innerText").lower()
    words = js(page, "[...document.querySelectorAll('.words dfn')].map((n) => n.textContent.toLowerCase())")
    assert words == ["cell", "line", "loop", "trivial"]
    for word in words:
        assert text.index(word) == text.index(f"{word}: "), word


def test_print_shows_the_wide_drawings_on_paper(page: Any) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    style = "getComputedStyle(document.querySelector(arguments[0]))"
    assert js(page, f"{style}.display", ".drawn .narrow") == "none"
    assert js(page, f"{style}.display", ".drawn .wide") == "block"
    assert js(page, f"{style}.backgroundColor", "body") == "rgb(255, 255, 255)"


@pytest.mark.skipif(not Path(AXE).is_file(), reason="no axe-core here; AXE=path/to/axe.min.js runs it")
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONES[0]])
def test_axe_finds_nothing(page: Any, colours: str, size: tuple[int, int]) -> None:
    show(page, size)
    scheme(page, colours)
    page.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
    page.execute_script(Path(AXE).read_text(encoding="utf-8"))
    page.set_script_timeout(120)
    run = """const done = arguments[0];
        const each = (found) => [found.id, found.nodes.map((node) => node.html.slice(0, 200))];
        axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations.map(each)));"""
    assert page.execute_async_script(run) == []
