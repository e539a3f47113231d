"""Asks a model about a whole dataset."""
