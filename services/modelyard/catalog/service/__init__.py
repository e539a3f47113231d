"""Use cases; what they need from the world are the protocols in `ports`."""
