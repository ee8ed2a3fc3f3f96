"""The version of this package; pyproject.toml reads it as text."""

__version__ = "0.1.0"
