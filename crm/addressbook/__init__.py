"""The address book: whom may somebody of the enterprise want to reach, and who else sees that entry.

Read `models.py` first (groups, contacts, who sees what), then `audience.py` (whom a send to groups reaches),
`groups.py` and `contacts.py` (writes), `queries.py` (lists, duplicates) and `plan.py` with `transfer.py` (files in and
out; the job around them is `crm/jobs/contacts.py`). A contact is nobody's lead and is never dialed by a campaign:
that is what lists are for.
"""
