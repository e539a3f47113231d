"""Loops, child processes and the local copy of immutable trees."""
