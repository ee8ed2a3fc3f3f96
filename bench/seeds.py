"""Named random streams. Every random draw of a cell comes from one of these, derived from what the cell is."""

import hashlib

VARIED = ("init", "order", "split", "dropout")  # those that --vary can vary alone


def derive(*parts: object) -> int:
    """A seed (63 bits) that depends on every part and on nothing else: not on the process, machine or neighbours."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
