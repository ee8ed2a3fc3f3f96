"""The report as one HTML page, which needs nothing but itself.

In come the Report of `tables` and its captioned figures, and the predictions in its results folders. Out goes the text
of the page (html.py): the template page.html.jinja, filled with plain values (content, claims, drawing, figures), and
the data that its script shows of every cell (cells, predictions).
"""
