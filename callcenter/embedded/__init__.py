"""The PostgreSQL and Valkey that come with it. Read services.py."""
