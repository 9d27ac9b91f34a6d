"""Reports of texts: how many were sent, delivered, failed and why, what they cost, who answered, who wants no more.

`definitions.py` says once what each figure is; `queries.py` counts by it, in all groups and totals alike, straight from
the texts: there is no second store of figures that could differ. `labels.py` names the groups, `files.py` exports.
"""
