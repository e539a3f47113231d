"""modelyard's Python client. It needs no TensorFlow.

from modelyard.sdk import Client

with Client() as client:
    client.datasets.push("digits", "./digits")
    job = client.jobs.create("image-classification", "digits", parameters={"epochs": 3})
    for job in client.jobs.watch(job.name):
        print(job.progress.step, dict(job.progress.metrics))
    client.deployments.create("digits", job.model_version)
"""

from modelyard.sdk.client import Client
from modelyard.sdk.errors import ModelyardError

__all__ = ["Client", "ModelyardError"]
