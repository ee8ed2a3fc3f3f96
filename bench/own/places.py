"""Where a user's rows lie: a file, the files of its splits beside it, a folder of them, or a data set of the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.data.arrow import SAVED
from bench.data.hub import prepared, resolve
from bench.data.places import has_files
from bench.errors import UsageError, nearest, shown
from bench.registry import suites
from bench.spelling import at_home, check_place
from bench.task import Source, Split

HUB = "hub:"
SAVED_SPLITS = "dataset_dict.json"  # what `save_to_disk` writes beside the folders of a data set's splits
ENDINGS = (
    ".csv",
    ".tsv",
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".conll",
    ".conllu",
    ".bio",
    ".iob",
    ".iob2",
    ".txt",
)
NAMES: dict[Split, tuple[str, ...]] = {  # what files and values of columns call the splits
    "train": ("train", "training", "trn"),
    "dev": ("dev", "valid", "validation", "val", "development", "eval"),
    "test": ("test", "testing", "tst"),
}
_PART = re.compile(r"-[0-9]+-of-[0-9]+$")  # of a table in several files, as the hub has them
_HUB = re.compile(r"hub:(?P<repo>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[^:]+))?(:(?P<config>.+))?")


@dataclass(frozen=True)
class Lying:
    """Where rows lie. `how` says of several splits how they were found; empty where all rows are in one place."""

    name: str
    source: Source
    folder: Path | None = None
    how: str = ""

    def called(self, split: Split) -> str:
        """The files of a split, or the hub's name of it."""
        files = self.source.files.get(split)
        return ", ".join(files) if files else f"{self.source.hub} {self.source.hub_splits.get(split, split)}"


def lying(data: Path) -> Lying:
    """Where the rows of `--data` lie. UsageError where there are none, or it is not clear which are meant."""
    if str(data).startswith(HUB):
        return _on_hub(str(data))
    place = Path(at_home(data)).absolute()
    if place.is_dir():
        return _in_folder(place)
    if not place.exists():
        raise UsageError(f"--data {data}: no such file or folder{_near(place)}")
    return _beside(place)


def of_files(files: Mapping[Split, Iterable[Path]], name: str) -> Lying:
    """Files that a task file gives to splits. UsageError for one that is not there."""
    paths = {split: tuple(path.absolute() for path in of_split) for split, of_split in files.items()}
    for path in (path for of_split in paths.values() for path in of_split):
        if not path.exists():
            raise UsageError(f"{path}: no such file{_near(path)}")
    every = [path.parent for of_split in paths.values() for path in of_split]
    folder = next(
        parent for parent in (every[0], *every[0].parents) if all(path.is_relative_to(parent) for path in every)
    )
    return _lying(name, folder, paths, "as the task file says")


def holds_suites(folder: Path) -> dict[str, list[str]]:
    """The tasks of known suites whose files lie in a folder, by suite."""
    found: dict[str, list[str]] = {}
    for suite in suites().values():
        names = [task.name for task in suite.tasks if task.source.local and has_files(task, "train", folder)]
        if names:
            found[suite.name] = names
    return found


def split_called(name: str) -> Split | None:
    """The split that a name means."""
    return next((split for split, names in NAMES.items() if name.strip().casefold() in names), None)


def _near(data: Path) -> str:
    names = [path.name for path in data.parent.iterdir()] if data.parent.is_dir() else []
    near = nearest(data.name, names)
    return f"; did you mean {near!r}?" if near else ""


def _lying(name: str, folder: Path, files: dict[Split, tuple[Path, ...]], how: str) -> Lying:
    relative = {split: tuple(str(path.relative_to(folder)) for path in paths) for split, paths in files.items()}
    return Lying(_plain(name), Source(files=relative, hub_splits={}), folder, how if len(files) > 1 else "")


def _plain(name: str) -> str:
    """A name that a folder and a cell can have."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "data"


def stem_of(path: Path) -> str:
    """A file's name without its ending, and without `.gz`."""
    name = path.name.removesuffix(".gz")
    ending = next((ending for ending in ENDINGS if name.casefold().endswith(ending)), "")
    return _PART.sub("", name[: len(name) - len(ending)] if ending else name)


def _divided_name(stem: str) -> tuple[str, Split | None]:
    """A stem without the split that it names, at its end or its beginning, and the split."""
    for split, names in NAMES.items():
        for name in names:
            found = re.fullmatch(rf"(?:(.*)[-_.])?{name}(?:[-_.](.*))?", stem, re.IGNORECASE)
            if found:
                return "-".join(filter(None, found.groups())), split
    return stem, None


def _beside(file: Path) -> Lying:
    """A file, with those beside it that are other splits of the same name and ending."""
    name, split = _divided_name(stem_of(file))
    found = _by_split(file.parent, name, "".join(_endings(file)))
    if split not in (None, "train"):
        if "train" in found:
            raise UsageError(f"--data {file}: it is called {split}; {found['train'][0].name} beside it is read with it")
        found = {}
    ordered: dict[Split, tuple[Path, ...]] = {"train": (file,)}
    ordered |= {each: found[each] for each in NAMES if each != "train" and each in found}
    others = ", ".join(path.name for each, paths in ordered.items() if each != "train" for path in paths)
    return _lying(name or file.parent.name, file.parent, ordered, f"{others} beside it")


def _endings(file: Path) -> tuple[str, str]:
    packed = ".gz" if file.name.casefold().endswith(".gz") else ""
    return file.name.removesuffix(packed)[len(stem_of(file)) :], packed


def _by_split(folder: Path, name: str | None, ending: str | None) -> dict[Split, tuple[Path, ...]]:
    """The files of a folder that are called as splits, of a name and an ending where these are given."""
    found: dict[Split, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith(".") or not _is_data(path):
            continue
        of, split = _divided_name(stem_of(path))
        if split and name in (None, of) and (ending is None or path.name.endswith(ending)):
            found.setdefault(split, []).append(path)
    return {split: tuple(paths) for split, paths in found.items() if len(paths) == 1 or all(_parts(paths))}


def _parts(paths: Iterable[Path]) -> list[bool]:
    return [bool(_PART.search(path.name.removesuffix(".gz").rpartition(".")[0])) for path in paths]


def _is_data(path: Path) -> bool:
    return path.name.casefold().removesuffix(".gz").endswith(ENDINGS)


def _in_folder(folder: Path) -> Lying:
    if (folder / SAVED_SPLITS).is_file():
        return _saved_splits(folder)
    if (folder / SAVED).is_file():
        return _lying(folder.name, folder.parent, {"train": (folder,)}, "")
    for place in (folder, folder / "data"):
        found = _by_split(place, None, None) if place.is_dir() else {}
        if "train" in found:
            ordered = {split: found[split] for split in NAMES if split in found}
            names = ", ".join(path.name for paths in ordered.values() for path in paths[:1])
            return _lying(folder.name, folder, ordered, f"the folder's {names}")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_data(path)]
    if len(files) == 1:
        return _beside(files[0])
    several = (
        f"which of {', '.join(path.name for path in files[:8])}? Give --data FILE" if files else "no data file in it"
    )
    known = ", ".join(ending for ending in ENDINGS if ending != ".ndjson")
    raise UsageError(
        f"--data {folder}: {several}; a folder has train and dev files, one file ({known}), or save_to_disk"
    )


def _saved_splits(folder: Path) -> Lying:
    chosen = _chosen(_split_names(folder / SAVED_SPLITS), f"--data {folder}")
    files: dict[Split, tuple[Path, ...]] = {split: (folder / name,) for split, name in chosen.items()}
    return _lying(folder.name, folder, files, f"its splits {', '.join(chosen.values())}")


def _split_names(description: Path) -> list[str]:
    """The splits that the description of a data set names. UsageError for one that is spoiled."""
    try:
        names = list(json.loads(description.read_text(encoding="utf-8"))["splits"])
        for name in names:
            if Path(name).name != name:  # a folder elsewhere
                raise ValueError(f"{shown(name)} is no name of a split")
            check_place(name)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"cannot read {description}: {error or type(error).__name__}") from None
    return names


def _chosen(names: Iterable[str], where: str) -> dict[Split, str]:
    """Of a data set's splits those that are train, dev and test. UsageError where it is not clear which is train."""
    listed = list(names)
    if len(listed) == 1:
        return {"train": listed[0]}
    chosen: dict[Split, str] = {}
    for split in NAMES:
        fitting = [name for name in listed if split_called(re.split(r"[-_.]", name)[0]) == split]
        if fitting:  # validation_matched before validation_mismatched
            chosen[split] = next((name for name in fitting if split_called(name)), fitting[0])
    if "train" not in chosen:
        raise UsageError(f"{where}: none of its splits {', '.join(listed)} is called train")
    return chosen


def _on_hub(text: str) -> Lying:
    """UsageError where the hub has no such data set, or it cannot be reached."""
    found = _HUB.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--data {text}: the form is hub:OWNER/NAME, with @REVISION and :CONFIG behind it where needed"
        )
    repo, config = found["repo"], found["config"]
    hint = "To run offline: --data FILE"
    commit = resolve(repo, found["revision"], kind="dataset", offline_hint=hint, config=config)
    chosen = _chosen(_hub_splits(repo, config, commit), f"--data {text}")
    source = Source(
        hub=repo,
        config=config,
        revision=commit,
        hub_splits={str(split): name for split, name in chosen.items()},
        local_splits={},
    )
    return Lying(
        _plain(repo.rpartition("/")[2] + (f"-{config}" if config else "")),
        source,
        None,
        f"the hub's {', '.join(chosen.values())}",
    )


def _hub_splits(repo: str, config: str | None, commit: str) -> list[str]:
    """The splits of a data set at a commit, which is fetched where the cache does not have it."""
    folder = prepared(repo, commit, config)
    if folder is not None:
        return _split_names(folder / "dataset_info.json")
    import datasets

    datasets.disable_progress_bars()
    try:
        return list(datasets.load_dataset(repo, config, revision=commit))
    except Exception as error:  # the library raises a dozen kinds, of several packages
        reason = " ".join(str(error).split())[:300]
        several = "; name one behind the id, like :CONFIG" if "config" in reason.casefold() and config is None else ""
        raise UsageError(
            f"cannot load {repo}{f' ({config})' if config else ''} from the hub: {reason}{several}"
        ) from None
