import shlex

from modelyard.api.catalog.v1 import dataset_service_pb2
from modelyard.cli.grpcurl import grpcurl_line
from modelyard.sdk.discovery import Access

METHOD = "/modelyard.api.catalog.v1.DatasetService/GetDataset"


def test_a_call_is_a_line_to_paste() -> None:
    request = dataset_service_pb2.GetDatasetRequest(name="projects/p/datasets/it's")
    words = shlex.split(grpcurl_line(Access("127.0.0.1:8470", "secret"), METHOD, request))
    assert words == [
        "grpcurl",
        "-plaintext",
        "-H",
        "authorization: Bearer $(modelyard token print)",
        "-d",
        '{"name": "projects/p/datasets/it\'s"}',
        "127.0.0.1:8470",
        METHOD[1:],
    ]


def test_the_token_is_not_in_it_and_tls_is_meant_elsewhere() -> None:
    line = grpcurl_line(Access("example.org:443", "secret"), METHOD, dataset_service_pb2.GetDatasetRequest())
    assert "secret" not in line
    assert "-plaintext" not in line
