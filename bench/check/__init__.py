"""What `bench check` looks at: the environment, data folders, models, and whether methods and tasks keep the rules.

The conformance checks are the ones that the built-in methods and tasks pass in the tests, which call the same code.
Nothing here imports torch before a check needs it.
"""
