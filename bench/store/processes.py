"""Processes of this machine: what it is called, and which of them have ended, by a number or by a file's name."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
from functools import cache
from pathlib import Path

_NAME = re.compile(r"-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}(?![0-9A-Za-z-])")  # machine and process of a worker's name


@cache
def machine() -> str:
    """A name for this boot of this system; in a container also for its own numbering of processes.

    The host's name is in it because copies of a virtual machine may run on with one boot's mark.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


@cache
def _machine_mark() -> str:
    return hashlib.sha256(machine().encode()).hexdigest()[:8]


def name_of(host: str, process: int) -> str:
    """A new name of a process, which nothing else has: it ends with machine, number, and what is drawn."""
    return f"{host}-{_machine_mark()}-{process}-{secrets.token_hex(4)}"


def is_of_here(name: str) -> bool:
    """Whether a file's name has that of a process of this machine."""
    found = _NAME.findall(name)
    return bool(found) and found[-1][0] == _machine_mark()


def was_left(name: str) -> bool:
    """Whether it has that of one that has ended."""
    return is_of_here(name) and began_at(int(_NAME.findall(name)[-1][1])) is None


def began_at(process: int) -> str | None:
    """When a process began, in ticks since the boot; "" where the system does not say, None when there is none."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # there is none; or the system keeps no such files, or hides those of somebody else's processes
        pass
    else:
        state, *rest = stat.rpartition(")")[2].split()  # what is before may have spaces and brackets of its own
        return None if state in "ZX" else rest[18]
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:  # somebody else's
        pass
    return ""
