"""Translation between the protocol and the use cases."""
