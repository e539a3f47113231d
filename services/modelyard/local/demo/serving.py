"""The demo's deployment."""

from modelyard.api.inference.v1 import deployment_pb2
from modelyard.cli.output import state_text
from modelyard.local.demo import DEPLOYMENT
from modelyard.local.demo.phases import say
from modelyard.sdk import Client
from modelyard.sdk.deployments import State
from modelyard.sdk.errors import FailedPrecondition, NotFound
from modelyard.sdk.names import short


def serve(client: Client, model_version: str) -> deployment_pb2.Deployment:
    """The deployment, answering with this version. Raises FailedPrecondition if it can't."""
    try:
        deployment = client.deployments.get(DEPLOYMENT)
    except NotFound:
        deployment = client.deployments.create(DEPLOYMENT, model_version)
    if _answers(deployment, model_version):
        say(f"{DEPLOYMENT} serves {short(model_version)} already")
        return deployment
    if deployment.model_version != model_version:
        deployment = client.deployments.update(DEPLOYMENT, model_version)
    said = ""
    for deployment in client.deployments.watch(DEPLOYMENT):
        state = state_text(State.Name(deployment.state))
        line = f"{state}: {deployment.message}" if deployment.message else state
        if line != said:
            say(line)
        said = line
        if _answers(deployment, model_version):
            say(f"{DEPLOYMENT} serves {short(model_version)}")
            return deployment
        if deployment.state == State.STATE_FAILED:
            break
    raise FailedPrecondition(
        f"{DEPLOYMENT} can't serve {short(model_version)}: {deployment.message}", reason="DEPLOYMENT_FAILED"
    )


def _answers(deployment: deployment_pb2.Deployment, model_version: str) -> bool:
    return deployment.state == State.STATE_SERVING and deployment.serving_version == model_version
