"""What learns to write one text for another, a translation or a summary: shared by the templates that do."""
