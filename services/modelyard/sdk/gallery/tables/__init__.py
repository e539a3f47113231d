"""Sets of tables."""
