"""Translation in, translation out."""
