"""Sets of who liked what."""
