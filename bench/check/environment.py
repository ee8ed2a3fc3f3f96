"""The environment of a run: versions, devices, where things are kept, how much room there is."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path

from packaging.requirements import Requirement

from bench.check.finding import Finding
from bench.data.cache import cache_folder

DISTRIBUTION, PACKAGE = "tuning-bench", "bench"
GIB = 2**30
LITTLE = 2 * GIB  # bytes; less room than a few models and their results take


def environment(results: Path) -> Iterator[Finding]:
    """Everything that does not depend on a data set or a model. `results` is where results would be written."""
    yield Finding("python", platform.python_version(), "told", platform.platform())
    yield from _packages()
    yield from _namesakes()
    yield from _devices()
    yield _writable("cache", cache_folder())
    yield _writable("results", results)
    yield _hub()


def _packages() -> Iterator[Finding]:
    """A package below the bound that it is declared with, or missing, fails; those of an extra may be missing."""
    try:
        declared = [Requirement(text) for text in distribution(DISTRIBUTION).requires or ()]
    except PackageNotFoundError:
        yield Finding("packages", DISTRIBUTION, "told", "not installed: versions are not compared with its bounds")
        return
    for requirement in sorted(declared, key=lambda requirement: requirement.name):
        extra = requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
        if extra and not requirement.marker.evaluate({"extra": "peft"}):  # type: ignore[union-attr]
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            note = "not installed; pip install 'tuning-bench[peft]'" if extra else "not installed"
            yield Finding("package", requirement.name, "told" if extra else "failed", note)
            continue
        fits = requirement.specifier.contains(installed, prereleases=True)
        wanted = "" if fits else f"; {requirement.specifier} is needed"
        yield Finding("package", requirement.name, "passed" if fits else "failed", f"{installed}{wanted}")


def _namesakes() -> Iterator[Finding]:
    """Other packages that install something called `bench` overwrite ours, or are overwritten, file by file."""
    brought = {name for name in packages_distributions().get(PACKAGE, ()) if name != DISTRIBUTION}
    for name in sorted(brought):
        note = f"installs a package {PACKAGE!r} too; put one of the two into an environment of its own"
        yield Finding("package", name, "told", note)


def _devices() -> Iterator[Finding]:
    import torch

    from bench.model.device import has_bf16

    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        note = f"{torch.cuda.get_device_name(index)}, {free / GIB:.0f} of {total / GIB:.0f} GiB free"
        yield Finding("device", f"cuda:{index}", "told", note)
    bf16 = "bf16 in hardware" if has_bf16(torch.device("cpu")) else "no bf16 in hardware: fp32 is taken"
    note = f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads, {bf16}"
    yield Finding("device", "cpu", "told", note)


def _writable(name: str, folder: Path) -> Finding:
    """Whether files can be made there, and how much room is left."""
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding(name, str(folder), "failed", f"cannot be written: {error.strerror}")
    note = f"{free / GIB:.1f} GiB free"
    return Finding(name, str(folder), "told" if free < LITTLE else "passed", note + (": little" * (free < LITTLE)))


def _hub() -> Finding:
    """How models and data sets would be had; nothing is asked of the network."""
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    note = "off (HF_HUB_OFFLINE): what was fetched before is used" if offline else "asked for what is not in the cache"
    return Finding("hub", str(constants.HF_HUB_CACHE), "told", note)
