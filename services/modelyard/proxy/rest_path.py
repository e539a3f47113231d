"""What a REST request asks, by its method and path."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from modelyard.proxy.domain import ModelSpec
from modelyard.proxy.errors import BadRequest, UnknownMethod
from modelyard.proxy.methods import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, Method

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]{1,18})|/labels/(?P<label>[^/:]+))?"
    r"(?:(?P<metadata>/metadata)|:(?P<verb>[a-z]+))?"
)
_FORMS = "/v1/models/{name}, /versions/{number} or /labels/{label} behind it, then :predict or /metadata or nothing"


@dataclass(frozen=True, slots=True)
class Asked:
    method: Method
    spec: ModelSpec


def parse(verb: str, path: str) -> Asked:
    match = _PATH.fullmatch(path)
    if match is None:
        raise BadRequest(f"no such path: {path[:200]!a}; a path is {_FORMS}")
    version, label = match["version"], match["label"]
    spec = ModelSpec(unquote(match["name"]), int(version) if version else None, unquote(label) if label else None)
    if match["verb"]:
        if match["verb"] != "predict":
            raise UnknownMethod(f":{match['verb'][:40]} is not offered by REST; use :predict, or gRPC")
        _must_be("POST", verb)
        return Asked(PREDICT, spec)
    _must_be("GET", verb)
    return Asked(GET_MODEL_METADATA if match["metadata"] else GET_MODEL_STATUS, spec)


def _must_be(wanted: str, verb: str) -> None:
    if verb != wanted:
        raise BadRequest(f"this path takes {wanted}, not {verb[:20]!a}")
