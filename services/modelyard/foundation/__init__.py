"""What every process stands on; no business nouns in here."""
