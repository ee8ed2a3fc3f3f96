"""The page in headless Chromium: it loads without errors, its controls work by mouse and keyboard, it fits a phone."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from bench.cell import Cell
from bench.store.record import CurvePoint
from bench.store.store import Store
from tests.report.conftest import make_cell, make_record, write_report
from tests.report.page.conftest import DESKTOP, PHONE, js, show
from tests.report.page.test_page import HOSTILE, add


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of two methods, two models and two tasks, with a failed cell, samples, and texts that try to be markup."""
    store = Store.create(tmp_path_factory.mktemp("report") / "results")
    curve = [CurvePoint(step=n, epoch=n, train_loss=1 / n, scores={"accuracy": 50.0 + n}) for n in (1, 2, 3)]
    cells = [
        make_cell(task, model, method, seed, given={"note": HOSTILE} if method == "ptv2" else {})
        for task in ("rte", "cb")
        for model in ("small", "large")
        for method in ("finetune", "ptv2")
        for seed in (0, 1)
    ]
    texts = {str(number): f"{HOSTILE} {number}" for number in range(20)}
    for number, cell in enumerate(cells[:-1]):
        record = make_record(cell, score(cell) + cell.seed).model_copy(update={"curve": curve, "selected_step": 3})
        add(store, record, texts, "yes", "yes" if number % 3 else "no")
    store.write(make_record(cells[-1], None, "failed", f"ValueError: {HOSTILE}"))
    (path,) = write_report([store.path], {"html"}, {})
    return path.as_uri()


def score(cell: Cell) -> float:
    return 60.0 + 5 * (cell.method == "ptv2") - 20 * (cell.model == "large") + 10 * (cell.task == "cb")


@pytest.fixture
def page(driver: Any, address: str) -> Any:
    """The page freshly loaded at desktop width; whatever the browser complained of by the end is a failure."""
    show(driver, DESKTOP)
    driver.get_log("browser")
    driver.get(address)
    yield driver
    assert driver.get_log("browser") == []


LINES = "[...document.querySelectorAll('table.scores tbody tr')].filter((row) => !row.hidden)"


def lines(page: Any) -> list[tuple[str, str]]:
    """Model and method of the lines that are shown."""
    return [(*each,) for each in js(page, f"{LINES}.map((row) => [row.dataset.model, row.dataset.method])")]


def press(page: Any, selector: str, *keys: str) -> None:
    page.find_element(By.CSS_SELECTOR, selector).send_keys(*keys)


def choose(page: Any, name: str, value: str) -> None:
    Select(page.find_element(By.CSS_SELECTOR, f"[data-filter={name}]")).select_by_value(value)


def heading(text: str) -> str:
    """The script that finds a heading's button in the table of scores."""
    return f"[...document.querySelectorAll('table.scores thead button')].find((b) => b.textContent === '{text}')"


def test_nothing_in_a_text_becomes_markup(page: Any) -> None:
    assert js(page, "[document.images.length, document.querySelectorAll('script').length]") == [0, 2]
    shown = ""
    for number in range(js(page, "data.entries.length")):
        js(page, "openEntry(arguments[0])", number)
        assert js(page, "[document.images.length, document.querySelectorAll('script').length]") == [0, 2]
        shown += js(page, "document.getElementById('drawer-body').textContent")
    assert f"{HOSTILE} 1" in shown


def test_a_heading_sorts_by_mouse_and_keyboard(page: Any) -> None:
    best_first = [("small", "ptv2"), ("small", "finetune"), ("large", "ptv2"), ("large", "finetune")]
    js(page, heading("cb accuracy") + ".click()")
    assert lines(page) == best_first
    state = "[...document.querySelectorAll('table.scores th')].map((th) => th.ariaSort).filter((s) => s && s != 'none')"
    assert js(page, state) == ["descending"]
    js(page, heading("cb accuracy") + ".focus()")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert lines(page) == best_first[::-1]
    assert js(page, state) == ["ascending"]
    js(page, heading("method") + ".click()")
    assert [method for _, method in lines(page)] == ["finetune", "finetune", "ptv2", "ptv2"]


def test_filters_choose_lines_and_cells(page: Any) -> None:
    assert (len(lines(page)), js(page, "shownCells.length")) == (4, 16)
    choose(page, "model", "large")
    assert (len(lines(page)), js(page, "shownCells.length")) == (2, 8)
    choose(page, "status", "failed")
    assert (lines(page), js(page, "shownCells.length")) == ([("large", "ptv2")], 1)
    choose(page, "task", "rte")
    assert (lines(page), js(page, "shownCells.length")) == ([], 0)
    js(page, "document.querySelector('#controls [type=reset]').click()")
    assert js(page, "new Promise((done) => setTimeout(() => done(shownCells.length), 50))") == 16
    press(page, "#search", "finetune large")
    assert lines(page) == [("large", "finetune")]
    assert js(page, "document.getElementById('shown').textContent") == "1 of 4 lines, 4 of 16 cells"


def test_a_task_filter_hides_the_other_tasks_columns(page: Any) -> None:
    choose(page, "task", "rte")
    shown = (
        "[...document.querySelectorAll('table.scores thead th')].filter((th) => !th.hidden).map((th) => th.textContent)"
    )
    assert [name for name in js(page, shown) if "accuracy" in name or "Average" in name] == ["rte accuracy"]


def test_a_number_opens_its_cells_and_escape_closes_them(page: Any) -> None:
    number = "[...document.querySelectorAll('table.scores tbody tr')].at(-1).querySelector('td[data-task=rte] button')"
    js(page, f"{number}.focus()")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert js(page, "document.getElementById('drawer').open") is True
    text = js(page, "document.getElementById('drawer-body').innerText")
    for part in (
        "Seeds",
        "Curves",
        "Settings",
        "A sample of predictions",
        "Costs",
        "780",
        "Parameters",
        "983,040",
        "Examples",
    ):
        assert part in text
    assert js(page, "document.querySelectorAll('#drawer .sample').length") == 10
    assert js(page, "document.querySelectorAll('#drawer svg.curves path').length") == 4  # two seeds, score and loss
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert js(page, "document.getElementById('drawer').open") is False
    assert js(page, f"document.activeElement === {number}") is True


def test_a_failed_cell_shows_its_reason(page: Any) -> None:
    choose(page, "status", "failed")
    js(page, "document.querySelector('#cells tbody button').click()")
    assert "failed: ValueError: <script>alert(1)</script>" in js(
        page, "document.getElementById('drawer-body').innerText"
    )


def test_an_average_leads_to_its_tasks(page: Any) -> None:
    js(page, "document.querySelector('table.scores td[data-task=average] button').click()")
    assert "average" in js(page, "document.getElementById('drawer-title').textContent")
    parts = "[...document.querySelectorAll('#drawer [data-entry]')]"
    js(page, f"{parts}.find((button) => data.entries[button.dataset.entry].task === 'cb').click()")
    assert "cb" in js(page, "document.getElementById('drawer-title').textContent")


@pytest.mark.parametrize("opened", [False, True])
def test_a_phone_scrolls_tables_and_never_the_page(page: Any, opened: bool) -> None:
    show(page, PHONE)
    if opened:
        js(page, "document.querySelector('table.scores td.num button').click()")
    wide = (
        "[...document.querySelectorAll('body, body *')].filter((n) => n.getBoundingClientRect().right > innerWidth + 1"
    )
    wide += (
        " && !n.closest('.scroll, .plot, .unseen, .skip') && !n.closest('dialog:not([open])')).map((n) => n.outerHTML)"
    )
    assert js(page, "[document.documentElement.scrollWidth, innerWidth]") == [PHONE[0]] * 2
    assert js(page, wide) == []


def test_print_hides_controls_and_opens_what_is_folded(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        style = "getComputedStyle(document.querySelector(arguments[0]))"
        assert js(page, f"{style}.display", "#controls") == "none"
        assert js(page, f"{style}.overflowX", ".scroll") == "visible"
        js(page, "dispatchEvent(new Event('beforeprint'))")
        assert js(page, "document.querySelectorAll('main details:not([open])').length") == 0
        js(page, "dispatchEvent(new Event('afterprint'))")
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_dark_mode_has_its_own_colours_in_the_figures_too(page: Any) -> None:
    line = "getComputedStyle(document.querySelector('.plot svg path[style*=\"--c0\"]')).stroke"
    light = [js(page, "getComputedStyle(document.body).backgroundColor"), js(page, line)]
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = [js(page, "getComputedStyle(document.body).backgroundColor"), js(page, line)]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(light, dark, strict=True))
