"""`bench push`: what went to the hub or into an archive, or would go, in words."""

from __future__ import annotations

from pathlib import Path

from bench.commands.streams import tell
from bench.errors import UsageError
from bench.escaping.terminal import Screen
from bench.share.union import Extras
from bench.store.address import FORM, Address, is_address
from bench.store.archive import SUFFIX, is_archive
from bench.store.fetched import open_results


def push_results(folder: Path, to: str, extras: Extras, private: bool, dry_run: bool) -> None:
    """Push a results folder and say what went; with `dry_run` say what would."""
    if not is_address(to) and not is_archive(to):
        raise UsageError(f"--to {to}: results go to {FORM}, or into an archive, NAME{SUFFIX}")
    if private and not is_address(to):
        raise UsageError(f"--private is for a repository on the hub; {to} is a file")
    problems: list[str] = []
    place, store = Address.parse(to) if is_address(to) else Path(to), open_results(folder, problems)
    from bench.share.push import pack, push  # pandas and matplotlib come in here

    if isinstance(place, Path):
        pushed = pack(store, place, extras, dry_run)
    else:
        pushed = push(store, place, extras, private, dry_run)
    union, console = pushed.union, Screen()
    for line in (*problems, *union.left_out, *union.conflicts, *([pushed.note] if pushed.note else [])):
        tell("warning", line)
    if dry_run:
        for name, size in pushed.sizes.items():
            console.print(f"{size:>12,}  {name}", highlight=False, soft_wrap=True)
        for name in pushed.removed:
            console.print(f"{'removed':>12}  {name}", highlight=False, soft_wrap=True)
    if not pushed.sizes:
        said = f"{place} has all of {folder}"
    else:
        verb = "would add" if dry_run else "added"
        megabytes = sum(pushed.sizes.values()) / 1e6
        said = f"{verb} {_number(union.added, 'cell')} in {len(pushed.sizes):,} files of {megabytes:,.1f} MB"
    console.print(f"{said}: {pushed.address}{_packed(pushed.address)}", highlight=False, soft_wrap=True)
    if union.with_terms and not extras.terms:
        console.print(
            f"{_number(union.with_terms, 'cell')} with what metrics count of each example in the place of predictions, "
            "which would be texts of the data set: --with-predictions sends them where their licence lets you",
            highlight=False,
            soft_wrap=True,
        )
    if union.without_predictions:
        console.print(
            f"{_number(union.without_predictions, 'cell')} without predictions, which would be texts of the data "
            "set: --with-predictions sends them where their licence lets you; intervals are over seeds alone there",
            highlight=False,
            soft_wrap=True,
        )


def _packed(place: Address | Path) -> str:
    """How large an archive is."""
    return f", {place.stat().st_size / 1e6:,.2f} MB packed" if isinstance(place, Path) and place.is_file() else ""


def _number(of: list[str], noun: str) -> str:
    return f"{len(of):,} {noun}{'s' * (len(of) != 1)}"
