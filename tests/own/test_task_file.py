"""A task file says what flags say and more, wherever a task's name may stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.own.suite import OwnData, with_own_data
from bench.own.task_file import read_task_file
from bench.request import RunRequest
from tests.own.mails import TEAMS, mails, write

WORDS = '[words]\npress = "news"\nsales = "customers"\nsupport = "help"\n'


def task_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def of(*files: Path, **asked: object) -> OwnData:
    _, found = with_own_data(RunRequest(tasks=tuple(map(str, files)), **asked))
    assert found is not None
    return found


def test_it_has_pattern_words_and_split_besides_the_columns(tmp_path: Path) -> None:
    write(tmp_path / "data" / "m.csv", mails())
    text = (
        'data = "data/m.csv"\ntext = "body"\nlabel = "team"\npattern = "{body} [P] It is for [MASK]."\n'
        f'max_length = 64\nmetrics = "macro_f1"\nshare = 0.5\nsplit_seed = 3\n{WORDS}'
    )
    found = of(task_file(tmp_path / "teams.toml", text))
    (task,) = found.suite.tasks
    assert (task.name, task.classes, task.max_length, task.metrics) == ("teams", TEAMS, 64, ("macro_f1",))
    assert task.has_cloze
    assert task.words["press"] == "news"
    assert found.lines[1] == "  train 30, scored on dev 30: 50 % of m.csv, by label, equal texts together, seed 3"


def test_the_flags_and_the_file_make_the_same_task(tmp_path: Path) -> None:
    data = write(tmp_path / "m.csv", mails())
    of_file = of(task_file(tmp_path / "m.toml", 'data = "m.csv"\n')).suite.tasks
    _, of_flags = with_own_data(RunRequest(data=data))
    assert of_flags is not None
    assert of_flags.suite.tasks == of_file


def test_several_lie_under_the_folder_that_they_share(tmp_path: Path) -> None:
    write(tmp_path / "a" / "m.csv", mails())
    write(tmp_path / "b" / "n.csv", mails(seed=1))
    files = (
        task_file(tmp_path / "a" / "m.toml", 'data = "m.csv"'),
        task_file(tmp_path / "b" / "n.toml", 'data = "n.csv"'),
    )
    found = of(*files)
    assert (found.suite.name, found.folder, found.suite.average) == ("m+n", tmp_path, ("m", "n"))
    assert [task.source.files["train"] for task in found.suite.tasks] == [("a/m.csv",), ("b/n.csv",)]


def test_it_may_name_the_file_of_each_split(tmp_path: Path) -> None:
    write(tmp_path / "old.csv", mails())
    write(tmp_path / "new" / "fresh.csv", mails(9, seed=1))
    found = of(task_file(tmp_path / "m.toml", 'files = {train = "old.csv", dev = "new/fresh.csv"}\n'))
    assert found.lines[1] == "  train 60, scored on dev 9: as the task file says"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('data = "m.csv"\ntexts = "body"\n', "unknown key in {path} 'texts'; did you mean 'text'?"),
        ('text = "body"\n', "{path}: say where the rows are, either as data = "),
        ('data = "m.csv"\nmetrics = "accurac"\n', "task 'accurac'; did you mean 'accuracy'?"),
        (f'data = "m.csv"\npattern = "{{bodi}} [MASK]"\n{WORDS}', "m.csv has no column 'bodi'; did you"),
        ('data = "m.csv"\npattern = "{body} [MASK]"\n', "task 'm': words must name exactly the classes"),
        ('data = "m.csv"\nshare = 2.0\n', "{path}: share = 2.0: it must be between 0 and 1"),
        ('files = {dev = "m.csv"}\n', "{path}: files names dev; they must be train, and dev or test"),
        ('files = {train = "n.csv"}\n', "n.csv: no such file"),
        ('data = "m.csv"\nmax_length = "long"\n', "is not possible: it must be a whole number"),
        ("data =", "{path} is not valid TOML"),
    ],
)  # fmt: skip
def test_what_it_cannot_say_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "m.csv", mails())
    path = task_file(tmp_path / "m.toml", text)
    with pytest.raises(UsageError) as error:
        of(path)
    assert message.replace("{path}", str(path)) in str(error.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"suite": "glue"}, "--suite glue: a task file is none of its tasks; leave it out"),
        ({"label": "team"}, "--label: the task file "),
        ({"data": "."}, "--data .: the task file "),
    ],
)
def test_what_it_says_already_is_not_said_beside_it(tmp_path: Path, asked: dict[str, str], message: str) -> None:
    write(tmp_path / "m.csv", mails())
    with pytest.raises(UsageError) as error:
        of(task_file(tmp_path / "m.toml", 'data = "m.csv"\n'), **asked)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("text", ['data = "{}"', 'files = {{train = "{}"}}'])
@pytest.mark.parametrize(
    ("name", "message"),
    [("n" * 5000, "in one name"), ("~nobody-here/x.csv", "give the whole path"), ("\\u0000", "NUL")],
)
def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path, text: str, name: str, message: str) -> None:
    (tmp_path / "task.toml").write_text(text.format(name))
    with pytest.raises(UsageError, match=message):
        read_task_file(tmp_path / "task.toml")
