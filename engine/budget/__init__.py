"""How many worlds for which slice, when to stop, and at most six parameters tuned; docs/budget.md.

`python -m engine.budget REPORT --worlds N` shares worlds out, `python -m engine.budget tune CONFIG` tunes.
"""
