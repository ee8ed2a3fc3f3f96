"""Suites that a test declares are gone after it."""

from __future__ import annotations

import pytest

from bench import registry


@pytest.fixture(autouse=True)
def _no_suite_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.suites()
    monkeypatch.setattr(registry, "_SUITES", dict(registry._SUITES))
