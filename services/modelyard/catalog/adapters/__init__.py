"""SQL, the object store and the signing key behind the ports of the service."""
