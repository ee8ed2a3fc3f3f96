"""What the hub answers, in words for a user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import UsageError
from bench.store.address import Address


@contextmanager
def speaking_to_hub(address: Address, what: str) -> Iterator[None]:
    """Within the block the hub's refusals, and a network that is dead, are UsageErrors, and its bars are on terminals
    alone. `what` is what was asked for: "push to", "fetch".
    """
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        with _bars_on_a_terminal():
            yield
    except UsageError:
        raise
    except OfflineModeIsEnabled:
        raise UsageError(f"cannot {what} {address}: HF_HUB_OFFLINE is set") from None
    except LocalTokenNotFoundError:
        raise UsageError(_refused(401, address, what, "no token")) from None
    except HfHubHTTPError as error:
        raise UsageError(_refused(error.response.status_code, address, what, first_line(error))) from None
    except Exception as error:  # of the HTTP client, which changes between versions, of threads, of the disk
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        response = getattr(cause, "response", None)
        if response is not None and getattr(response, "status_code", None):
            raise UsageError(_refused(response.status_code, address, what, first_line(cause))) from None
        raise UsageError(f"cannot {what} {address}: {first_line(cause)}") from error


@contextmanager
def _bars_on_a_terminal() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _refused(status: int, address: Address, what: str, said: str) -> str:
    if status == 401:
        return f"cannot {what} {address}: the hub does not know who you are; `hf auth login`, or HF_TOKEN ({said})"
    if status == 403:
        return f"cannot {what} {address}: this token may not do that; take one with write access ({said})"
    return f"cannot {what} {address}: {said}"


def has_repository(repo: str, kind: str) -> bool:
    """Whether the hub shows us a repository of that kind."""
    from huggingface_hub import HfApi

    try:
        HfApi().repo_info(repo, repo_type=kind, timeout=10)
    except Exception:  # no network, no such repository, one that is not ours to see
        return False
    return True


def first_line(error: BaseException) -> str:
    """What an error says, short enough for a line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
