"""`bench`, and `python -m bench`. What comes first is ready to be interrupted."""

import os
import sys

from bench.commands.interrupts import STOPPED, end_at_once


def main() -> None:
    end_at_once()
    from bench.cli import main as bench

    try:
        bench()
    except SystemExit as end:
        from bench.ending import REQUESTS

        if end.code in (STOPPED, *(128 + number for number in REQUESTS)):
            _leave(int(end.code))
        raise


def _leave(code: int) -> None:
    """End without waiting for threads: those of a library whose start was interrupted would be waited for in vain.
    Everything of ours is closed by now.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
