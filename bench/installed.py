"""Whether a package of an extra is installed, without importing it."""

from importlib.util import find_spec


def is_installed(name: str) -> bool:
    """A folder of that name somewhere on the path, which Python would take for a package without a file, is none."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None
