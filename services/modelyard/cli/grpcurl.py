"""`--show-grpc`: each call as a line for grpcurl, ready to paste."""

import shlex
import sys

from google.protobuf import json_format
from google.protobuf.message import Message

from modelyard.sdk.connection import is_local
from modelyard.sdk.discovery import Access


def print_call(access: Access, method: str, request: Message) -> None:
    """On stderr, so that it does not get into the command's output."""
    print(grpcurl_line(access, method, request), file=sys.stderr)


def grpcurl_line(access: Access, method: str, request: Message) -> str:
    """The call; the token is not in it but is asked for by the line itself."""
    body = json_format.MessageToJson(request, indent=None, preserving_proto_field_name=True)
    plain = "-plaintext " if is_local(access.server) else ""
    return (
        f'grpcurl {plain}-H "authorization: Bearer $(modelyard token print)" '
        f"-d {shlex.quote(body)} {access.server} {method.lstrip('/')}"
    )
