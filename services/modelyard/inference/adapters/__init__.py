"""Behind the ports: the database, the catalog, and the other processes' health."""
