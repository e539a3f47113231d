"""Envoy: what it is told to do, and the process itself."""
