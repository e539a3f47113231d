"""Behind the ports: the inference service, the catalog's trees, and the model servers' processes."""
