"""The template `evaluate`: how a model version does on a dataset version."""
