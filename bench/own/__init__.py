"""A user's own data: from what is named on the command line, or in a task file, to a suite that is data alone.

Files know those before them: places (where the rows lie and how they come to splits), inference (which kind of task
they are), shown (in words), task_file, suite (what commands and notebooks call). No torch here.
"""
