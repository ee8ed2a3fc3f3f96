"""Results folders -> tables, statistics, figures and a page.

files.py is the entrance: it collects a Report and writes its files. The rooms behind it are wings, each of which
imports only those before it: read, statistics, tables, figures, page.
"""
