"""Texts of others in what other programs read: for each format the one function that makes a text stand there as text.

Names of suites, tasks, models, methods, settings and classes, reasons of failures and rows of data sets may hold
anything. Whoever writes one into a format sends it through that format's function here, and through no other
(`tests/escaping/test_writers.py` looks for writers that do not). HTML is Jinja's and markupsafe's own.
"""
