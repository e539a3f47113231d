"""Sets of sounds."""
