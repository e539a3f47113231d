"""A model's status and metadata, as TensorFlow Serving's REST API shows them."""

import json

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import metadata_pb2, status_pb2
from modelyard.proxy.codes import code_name
from modelyard.proxy.errors import BadAnswer

_SIGNATURES = "signature_def"


def status_json(answer: status_pb2.GetModelStatusResponse) -> bytes:
    versions = [
        {
            "version": str(status.version),
            "state": _state(status.state),
            "status": {"error_code": code_name(status.status.error_code), "error_message": status.status.error_message},
        }
        for status in answer.model_version_status
    ]
    return json.dumps({"model_version_status": versions}, indent=1).encode()


def metadata_json(answer: metadata_pb2.GetModelMetadataResponse) -> bytes:
    signatures = json_format.MessageToDict(
        read_signatures(answer), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    spec = answer.model_spec
    document = {
        "model_spec": {"name": spec.name, "signature_name": spec.signature_name, "version": str(spec.version.value)},
        "metadata": {_SIGNATURES: signatures},
    }
    return json.dumps(document, indent=1).encode()


def read_signatures(answer: metadata_pb2.GetModelMetadataResponse) -> metadata_pb2.SignatureDefMap:
    """Not by `Unpack`, which compares names: the type is TensorFlow Serving's own, ours has the same wire format."""
    if _SIGNATURES not in answer.metadata:
        raise BadAnswer("the model server says nothing about its signatures")
    try:
        return metadata_pb2.SignatureDefMap.FromString(answer.metadata[_SIGNATURES].value)
    except DecodeError:
        raise BadAnswer("the model server's signatures cannot be read") from None


def _state(number: int) -> str:
    states = status_pb2.ModelVersionStatus.State
    return states.Name(number) if number in states.values() else "UNKNOWN"  # type: ignore[arg-type]
