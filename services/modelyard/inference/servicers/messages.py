"""What the API shows of deployments and hosts."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from modelyard.api.inference.v1 import deployment_pb2, deployment_service_pb2, host_pb2
from modelyard.inference.domain.deployments import Deployment
from modelyard.inference.domain.hosts import Host, HostState, Served


def timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def deployment_message(deployment: Deployment) -> deployment_pb2.Deployment:
    return deployment_pb2.Deployment(
        name=deployment.name,
        uid=deployment.uid,
        etag=deployment.etag,
        display_name=deployment.display_name,
        labels=dict(deployment.labels),
        model_version=deployment.target.name,
        state=deployment_pb2.Deployment.State.ValueType(int(deployment.state)),
        message=deployment.message,
        serving_version=deployment.serving_version,
        serving_name=deployment.serving_name,
        creator=deployment.creator,
        create_time=timestamp(deployment.create_time),
        update_time=timestamp(deployment.update_time),
    )


def served_message(host: str, served: Served) -> deployment_service_pb2.ServedVersion:
    return deployment_service_pb2.ServedVersion(
        model_version=served.model_version,
        host=host,
        state=deployment_service_pb2.ServedVersion.State.ValueType(int(served.state)),
        message=served.message,
        endpoint=served.endpoint,
        batching=served.batching,
        memory_bytes=served.memory_bytes,
        restart_count=served.restart_count,
    )


def host_message(host: Host, state: HostState) -> host_pb2.Host:
    return host_pb2.Host(
        name=host.name,
        state=host_pb2.Host.State.ValueType(int(state)),
        served_versions=[served_message(host.name, served) for served in host.served],
        hostname=host.hostname,
        version=host.version,
        model_server=host.model_server,
        create_time=timestamp(host.create_time),
        heartbeat_time=timestamp(host.heartbeat_time),
    )
