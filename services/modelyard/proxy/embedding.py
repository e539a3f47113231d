"""What Envoy and the prediction path agree on, inside it and beside it."""

SETTINGS_VARIABLE = "MODELYARD_PROXY_SETTINGS"
"""The proxy's settings as JSON."""
STDERR_VARIABLE = "MODELYARD_PROXY_STDERR"
"""The number of a file that is the starting process's stderr: the access log goes there."""
PEER_HEADER = "x-modelyard-peer"
"""Who called, for a prediction path that sees Envoy as its caller."""
