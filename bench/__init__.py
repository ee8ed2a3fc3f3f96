"""tuning-bench: compares ways of tuning pretrained language models."""

__version__ = "0.1.0"
