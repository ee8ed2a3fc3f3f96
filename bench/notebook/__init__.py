"""The harness in Python: what a script or a notebook calls, and what it is given back.

Files know those before them: words (how a call is named in errors and records), rows (data in memory as a file),
arguments (from what a call gives to a request), gallery (several things that a notebook shows), results, preview,
calls.
"""
