"""The agent that keeps served model versions running on a machine."""
