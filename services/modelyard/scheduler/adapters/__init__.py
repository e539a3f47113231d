"""The database and the catalog, behind the ports of `service`."""
