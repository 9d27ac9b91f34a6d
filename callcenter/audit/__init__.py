"""Who did what to which record, before and after."""
