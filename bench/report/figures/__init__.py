"""A report's figures: first what they show, as numbers, then the drawing.

In comes the Report of `tables`. Out go captioned figures (captioned.py), each drawn when it is asked for. What is drawn
is worked out without matplotlib (curves, ablations, budgets, learning, pareto, and the look of lines in style.py) and
drawn by lines, dumbbells and fronts on what all share (layout.py). Importing these takes half a second: only who draws
does.
"""
