"""What the process that starts Envoy and the code inside it agree on."""

SETTINGS_VARIABLE = "MODELYARD_PROXY_SETTINGS"
"""The proxy's settings as JSON."""
STDERR_VARIABLE = "MODELYARD_PROXY_STDERR"
"""The number of a file that is the starting process's stderr: the access log goes there."""
