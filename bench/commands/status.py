"""`bench status`: how a results folder stands, on whatever machines it is being filled. It is only read."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bench.commands.folders import newest_results
from bench.commands.screen import screen
from bench.commands.status_json import tree
from bench.commands.status_text import blocks
from bench.commands.streams import tell
from bench.errors import UsageError
from bench.plan.remaining import time_left
from bench.store.standing import Observer
from bench.store.store import Store

EVERY = 5.0  # seconds between two looks


def show_status(folder: Path | None, as_json: bool = False, watch: bool = False) -> None:
    """Print how a folder (default: the newest) stands; with `watch` again and again until nothing is left, or Ctrl-C.

    UsageError for a folder that is none. A file of it that cannot be read is left out with a warning.
    """
    if as_json and watch:
        raise UsageError("--watch is for the eye and --json for programs; give one of them")
    store = Store.open(folder or newest_results())
    observer = Observer(store, lambda error: tell("warning", f"left out: {error}"))
    if watch:
        with suppress(KeyboardInterrupt):
            _watch(screen(), store, observer)
        return
    standing = observer.look()
    left = time_left(standing, store)
    if as_json:
        print(json.dumps(tree(store.path, standing, left), indent=1))
        return
    console = screen()
    for block in blocks(store.path, standing, left, console.width):
        console.print(block, soft_wrap=isinstance(block, Text) and not console.is_terminal)


def _watch(console: Console, store: Store, observer: Observer) -> None:
    """Show how a folder stands until no cell of it is left but failed ones."""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            standing = observer.look(patience=0)
            live.update(Group(*blocks(store.path, standing, time_left(standing, store), console.width)), refresh=True)
            if not standing.of("running", "silent", "free", "to_run", "waiting"):
                return
            time.sleep(EVERY)
