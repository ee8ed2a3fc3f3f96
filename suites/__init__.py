"""One file per suite; tasks are short declarations."""
