"""The scheduler's tables on SQLite and PostgreSQL."""
