"""A task file: a user's task in TOML, with what the flags say and more of a Task's fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from bench.data.found import Asked
from bench.errors import UsageError
from bench.fields import Request, argument
from bench.own.inference import MOST_ROWS, Wanted
from bench.own.places import HUB, NAMES, Lying, lying, of_files
from bench.spelling import Names, Written, at_home
from bench.task import Division

TASK_FILE = ".toml"
AS_THEY_ARE = ("pattern", "plain", "max_length", "stride", "answerless", "licence", "citation", "scored")  # of a Task


def _words(value: Any) -> Any:
    return {str(name): str(word) for name, word in value.items()} if isinstance(value, dict) else value


Texts = Annotated[dict[str, str], BeforeValidator(_words), Written(list[str], "a table of texts", "TABLE")]
Files = Annotated[dict[str, str], Written(list[str], 'a table like {train = "a.csv", dev = "b.csv"}', "TABLE")]


class TaskFile(Request):
    """The keys of a task file."""

    name: str = argument("", "The task's name; default: the file's.")
    data: str = argument("", "File, folder or hub:OWNER/NAME, from the task file's folder.")
    files: Files = argument({}, "A file for each of train, dev and test, in the place of `data`.")
    kind: str | None = argument(None, "Kind of task; default: what the columns show.")
    text: Names = argument((), "Column of the text, or of several.")
    label: str | None = argument(None, "Column of the label.")
    group: str | None = argument(None, "Column of what stays together.")
    id: str | None = argument(None, "Column of the rows' ids.")
    split_by: str | None = argument(None, "Column that says train, dev or test.")
    share: float | None = argument(None, "Share of the rows that is scored where a split is made.")
    split_seed: int | None = argument(None, "Seed of the split that is made.")
    most_rows: int = argument(MOST_ROWS, "Rows drawn of a larger file.")
    plain: str | None = argument(None, "What a linear head reads; default: the texts.")
    pattern: str | None = argument(None, "Cloze form with [MASK] and, for prompts inside it, [P].")
    words: Texts = argument({}, "The word at [MASK] for each class.")
    classes: Names = argument((), "The classes in their order; default: those of train.")
    metrics: Names = argument((), "Metrics, the main one first.")
    scored: str | None = argument(None, "dev or test.")
    max_length: int | None = argument(None, "Tokens of text.")
    stride: int | None = argument(None, "Tokens by which windows of a context overlap.")
    answerless: bool | None = argument(None, "Whether some questions have no answer.")
    licence: str | None = argument(None, "Of the data.")
    citation: str | None = argument(None, "Of the data.")


def read_task_file(path: Path) -> tuple[Lying, Wanted]:
    """Where the rows of a task file lie, and what it says of them. UsageError for what it cannot say."""
    file = TaskFile.read({}, path)
    if bool(file.data) == bool(file.files):
        raise UsageError(f'{path}: say where the rows are, either as data = "mails.csv" or as files = {{train = …}}')
    name = file.name or path.stem
    place = _place(path, file, name)
    stated: dict[str, Any] = {key: value for key in AS_THEY_ARE if (value := getattr(file, key)) is not None}
    stated |= {key: value for key in ("words", "classes", "metrics") if (value := getattr(file, key))}
    division = _division(path, file) if file.share is not None or file.split_seed is not None else None
    asked = Asked(file.text, file.label or "", file.group or "", file.id or "", file.split_by or "")
    return place, Wanted(asked, file.kind or "", name, stated, division, file.most_rows)


def _place(path: Path, file: TaskFile, name: str) -> Lying:
    folder = path.absolute().parent
    if file.files:
        unknown = [split for split in file.files if split not in NAMES]
        if unknown or "train" not in file.files:
            raise UsageError(f"{path}: files names {', '.join(file.files)}; they must be train, and dev or test")
        return of_files({split: [folder / at_home(file.files[split])] for split in NAMES if split in file.files}, name)
    return lying(Path(file.data) if file.data.startswith(HUB) else folder / at_home(file.data))


def _division(path: Path, file: TaskFile) -> Division:
    share = Division().share if file.share is None else file.share
    if not 0 < share < 1:
        raise UsageError(f"{path}: share = {share}: it must be between 0 and 1")
    return Division(share=share, seed=file.split_seed or 0)
