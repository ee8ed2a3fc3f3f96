"""Lays the folders beside bench/ into the wheel's one package: `bench.methods`, `bench.suites`, the published tables.

Done here and not by hatch's `sources`, with which no editable install can be made. An editable install needs none of
it: bench/checkout.py finds the folders where they are.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACES = {"methods": "bench/methods", "suites": "bench/suites", "results/published": "bench/report/read/published"}


class WheelLayout(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatch for every build of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update(PLACES)
