"""What does a caller hear and key before an agent? Menus (product row I2).

Read `flow.py` (the graph), then `verb.py` (what a node's verb is made of), `nodes/menu.py`, and `run.py` (the
interpreter that takes a call from node to node).

Pure: all but `models`, `actions`, `queries`, `figures`, `used`. `control` is what the floor asks; `simulate` is a call
without a telephone; `validate` tells what is wrong with a graph.

It plays nothing and asks nobody itself: its answers (`calls.control`) are carried out by the floor and the engine's
shell. Who waits for which agent is the queue's matter (`callcenter.acd`), once a call has left the menu.
"""
