"""No path, host or user leaves with a record."""

from __future__ import annotations

import pytest

from bench.share.cleaned import _command, _provenance, _text, last_part


@pytest.mark.parametrize(
    ("place", "left"),
    [
        ("roberta-large", "roberta-large"),
        ("FacebookAI/roberta-large", "FacebookAI/roberta-large"),
        ("/users/ann/models/mine", "mine"),
        ("/users/ann/models/mine/", "mine"),
        ("~/models/mine", "mine"),
        ("../ann/mine", "mine"),
        ("C:\\Users\\ann\\mine", "mine"),
        ("projects/ann/mine", "mine"),
        ("/", "…"),
        ("", ""),
    ],
)
def test_of_a_path_the_last_part_is_left(place: str, left: str) -> None:
    assert last_part(place) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot read /users/ann/x.csv: no such file", "cannot read x.csv: no such file"),
        ("in ~/models or C:\\Users\\ann\\y", "in models or y"),
        ("file:///srv/ann/z is gone", "z is gone"),
        ("worker gpu-17-4242-0a1b2c3d at 10.0.0.7 ended", "worker … at … ended"),
        ("No such file: '/data/ann lee/c.csv'", "No such file: 'c.csv'"),
        ("0.5/0.7 and/or 3 / 4, http://example.org/a/b", "0.5/0.7 and/or 3 / 4, http://example.org/a/b"),
    ],
)
def test_of_a_text_its_paths_and_hosts(text: str, left: str) -> None:
    assert _text(text, ()) == left


def test_a_known_path_goes_whole_with_spaces_in_it() -> None:
    assert _text("no tokenizer in /mnt/ann b/my model!", ["/mnt/ann b/my model"]) == "no tokenizer in my model!"


def test_a_command_keeps_what_can_be_typed_again() -> None:
    typed = [
        "bench", "run", "--models", "/users/ann/a b,owner/name", "--data=/srv/ann/d", "--set", "lora.r=4",
        "--executor", "ray", "--address", "ray://head:10001", "--slurm", "account=ann", "--slurm=partition=x",
        "--suite", "hub:owner/name@refs/pr/1",
    ]  # fmt: skip
    assert _command(typed) == [
        "bench", "run", "--models", "a b,owner/name", "--data=d", "--set", "lora.r=4",
        "--executor", "ray", "--address", "…", "--slurm", "…", "--slurm=…",
        "--suite", "hub:owner/name@refs/pr/1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Linux-6.8.0-ann-laptop-x86_64-with-glibc2.36", "Linux-x86_64-with-glibc2.36"),
        ("macOS-15.1-arm64-arm-64bit", "macOS-arm64-arm-64bit"),
        ("Windows-11-10.0.22631-SP0", "Windows"),
    ],
)
def test_a_system_is_told_without_its_release(said: str, left: str) -> None:
    assert _provenance({"platform": said}, ())["platform"] == left
