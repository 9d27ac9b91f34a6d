"""From an uploaded file to rows of leads: what is in the file, and what becomes of each row.

Read `plan.py` first (what the user chose), then `rows.py` (file → rows), `columns.py` (row → lead or reason) and
`loading.py` (leads → table, in one transaction); `transfer.py` is the pass over them. The job around them is
`crm/jobs/imports.py`. Nothing here knows HTTP.
"""
