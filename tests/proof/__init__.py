"""`python -m tests.proof`: the promises, each tried at its CI size, and a table of what was seen.

A promise is tried in one or more parts; each part is a function in a file by subject, run in a process of its own
(tests/proof/part.py) on services of its own. A promise that is not kept yet stands in the table as failing.
"""
