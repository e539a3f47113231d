"""Sets of videos."""
