"""The scheduler: jobs, attempts, leases, workers, logs and metrics. It never touches bytes of data or of models."""
