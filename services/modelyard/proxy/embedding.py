"""What the process that starts Envoy and the code inside it agree on."""

SETTINGS_VARIABLE = "MODELYARD_PROXY_SETTINGS"
"""The proxy's settings as JSON."""
