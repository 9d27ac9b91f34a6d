"""The database: base classes, sessions fenced by enterprise, the outbox, migrations."""
