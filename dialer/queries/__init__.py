"""What pages show of campaigns, calls and agents, read from the tables. Only figures that facts left there; live
ones come from the engine's documents."""
