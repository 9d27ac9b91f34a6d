"""May this text go? Named checks in a fixed order, one file each, all pure.

Read `verdict.py` (what goes in and comes out), then `pipeline.py` (the order). Nothing here reads a table: the caller
gathers a `World` for a batch of candidates, and the purse (`smsgateway/purse`) has the last word on balance.
"""
