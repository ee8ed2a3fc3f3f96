"""The trackers that the harness brings, one file each. Each imports its own package, and not before it is used."""
