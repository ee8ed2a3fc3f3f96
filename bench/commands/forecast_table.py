"""A forecast in words: a row for each sort of group, where its numbers are from, and the whole."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from bench.commands.lines import print_line, print_listing
from bench.commands.span import span
from bench.plan.forecast import Forecast, GroupForecast
from bench.plan.ranges import Range
from bench.plan.seen import Source
from bench.report.tables.fit import Column

GB = 1e9
MARKS = "abcdefghijklmnopqrstuvwxyz"
SHOWN = 3  # methods of a group that are named


def show(console: Console, told: Forecast, alone: bool) -> None:
    """Print a forecast; 80 columns are enough. `alone`: cells are measured alone after the run."""
    sources: dict[Source, frozenset[str]] = {}
    for group in told.groups:
        for source, ids in group.sources.items():
            sources[source] = sources.get(source, frozenset()) | ids
    words = ("model", "methods", "by")
    columns = [
        Column(name, name not in words) for name in ("model", "methods", "groups × cells", "time of each", "GB", "by")
    ]
    print_listing(console, columns, [_row(alike, list(sources)) for alike in _sorts(told.groups)])
    lines = [f"{_mark(at)}: {source.told(len(ids))}" for at, (source, ids) in enumerate(sources.items())]
    for line in (*lines, *_notes(told), _whole(told, told.alone if alone else 0.0)):
        print_line(console, line)


def _sorts(groups: Sequence[GroupForecast]) -> list[list[GroupForecast]]:
    """Groups of one stage, model, precision and way of using the model; those of unknown time apart."""
    sorts: dict[object, list[GroupForecast]] = {}
    for group in groups:
        first, alone = group.first, group.cells[0].method.changes_weights
        key = (first.stage, first.model, first.precision, alone, group.seconds is None)
        sorts.setdefault(key, []).append(group)
    return list(sorts.values())


def _methods(alike: Sequence[GroupForecast]) -> str:
    names = sorted({resolved.cell.method for group in alike for resolved in group.cells})
    more = f" +{len(names) - SHOWN}" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more + (" (trials)" if alike[0].first.stage == "trial" else "")


def _row(alike: Sequence[GroupForecast], sources: Sequence[Source]) -> list[str]:
    most = max(group.num_bytes for group in alike)
    seen = all(group.bytes_seen for group in alike)
    sizes = [len(group.cells) for group in alike]
    cells = f"{max(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)}–{max(sizes)}"
    marks = sorted({sources.index(source) for group in alike for source in group.sources})
    timed = [group.seconds for group in alike if group.seconds is not None]
    return [
        alike[0].first.model,
        _methods(alike),
        f"{len(alike)} × {cells}",
        _time(timed),
        f"{'' if seen else '≤ '}{most / GB:.1f}" if most else "unknown",
        ", ".join(map(_mark, marks)),
    ]


def _time(timed: Sequence[Range]) -> str:
    """Of the shortest to the longest."""
    if not timed:
        return "unknown"
    least, most = (span(end(seconds.likely for seconds in timed)) for end in (min, max))
    return least if least == most else f"{least} – {most}"


def _mark(at: int) -> str:
    return MARKS[at] if at < len(MARKS) else f"{MARKS[at // len(MARKS) - 1]}{MARKS[at % len(MARKS)]}"


def _notes(told: Forecast) -> list[str]:
    """What the numbers take for granted."""
    assumed = dict.fromkeys(text for group in told.groups for text in group.assumed)
    lines = [f"assumed: {'; '.join(assumed)}"] if assumed else []
    if any(group.num_bytes and not group.bytes_seen for group in told.groups):
        lines.append("≤: by the sizes of the model and of a micro-batch; nothing like it has run on this device")
    if any(group.seconds is None and group.sources for group in told.groups):
        lines.append("unknown: how many rows there are, which is known when they are read")
    if any(group.seconds is None and not group.sources for group in told.groups):
        lines.append("unknown: nothing like it has run on this device")
    return lines


def _whole(told: Forecast, alone: float) -> str:
    """ "about 3 h 20 min on 2 × NVIDIA H200 (between 2 h 50 min and 4 h; 6.4 device-hours)" and `alone` seconds."""
    devices = f"{told.num_devices} × {told.device_name}" if told.num_devices > 1 else told.device_name
    if told.num_workers != told.num_devices:
        devices = f"{devices} with {told.num_workers} workers"
    memory = f", at most {told.most_bytes / GB:.1f} GB at a time" if told.most_bytes else ""
    if told.unknown == sum(len(group.cells) for group in told.groups):
        return f"the time on {devices} is unknown{memory}"
    inside = [_between(told.wall)] if _between(told.wall) else []
    if told.num_workers > 1:
        inside.append(f"{told.device.likely / 3600:.2g} device-hours")
    if told.waiting >= 0.005:
        inside.append(f"{told.waiting:.0%} of it waiting for trials")
    if told.encoding >= 1:
        inside.append(f"{span(told.encoding)} of it reading and encoding")
    if alone:
        inside.append(f"then {span(alone)} at most for what cells cost alone")
    note = f" ({'; '.join(inside)})" if inside else ""
    unknown = f", and {told.unknown} cells of unknown time" if told.unknown else ""
    return f"about {span(told.wall.likely)} on {devices}{note}{unknown}{memory}"


def _between(seconds: Range) -> str:
    low, high = span(seconds.low), span(seconds.high)
    return f"between {low} and {high}" if low != high else ""
