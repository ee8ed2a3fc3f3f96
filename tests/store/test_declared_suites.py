"""Suites that a results folder keeps, made known to a process that has not declared them."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.registry import declare, find_suite
from bench.store.declarations import declare_kept, keep_suite, kept_suites
from bench.task import Source, Suite, Task


def suite_of(**source) -> Suite:
    task = Task(name="mails", kind="classification", source=Source(**source), plain="{body}", classes=("a", "b"),
                metrics=("accuracy",))  # fmt: skip
    return Suite(name="mails", tasks=(task,))


def test_one_that_is_data_alone_is_declared(tmp_path):
    suite = suite_of(local=("{split}.csv",))
    keep_suite(tmp_path, suite)
    declare_kept(tmp_path, "mails")
    assert find_suite("mails") == suite
    assert kept_suites(tmp_path) == ({"mails": suite}, [])


def test_the_folder_s_goes_before_one_that_another_folder_had(tmp_path):
    declare(suite_of(local=("other.csv",)))
    keep_suite(tmp_path, suite_of(local=("{split}.csv",)))
    declare_kept(tmp_path, "mails")
    assert find_suite("mails").task("mails").source.local == ("{split}.csv",)


def test_a_module_s_goes_before_the_folder_s(tmp_path):
    keep_suite(tmp_path, suite_of(local=("x",)).model_copy(update={"name": "glue"}))
    declare_kept(tmp_path, "glue")
    assert find_suite("glue").tasks[0].name != "mails"


def test_one_whose_rows_need_code_is_refused(tmp_path):
    keep_suite(tmp_path, suite_of(generate=lambda split: []))
    with pytest.raises(UsageError, match=r"^suite 'mails' reads its rows by code of its own; --plugin"):
        declare_kept(tmp_path, "mails")


def test_one_that_is_not_kept_or_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"^unknown suite 'mails', and .* does not keep it; --plugin"):
        declare_kept(tmp_path, "mails")
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "mails.json").write_text("{")
    with pytest.raises(UsageError, match=r"^unknown suite 'mails'"):
        declare_kept(tmp_path, "mails")
    assert len(kept_suites(tmp_path)[1]) == 1
