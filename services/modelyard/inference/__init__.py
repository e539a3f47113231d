"""Deployments, the hosts that serve them, and the proxy's table of routes."""
