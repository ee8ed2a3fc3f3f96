"""`bench`, and `python -m bench`. What comes first is ready to be interrupted."""

from bench.commands.interrupts import end_at_once


def main() -> None:
    end_at_once()
    from bench.cli import main as bench

    bench()


if __name__ == "__main__":
    main()
