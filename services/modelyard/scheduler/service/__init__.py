"""The scheduler's use cases, and the ports that they need."""
