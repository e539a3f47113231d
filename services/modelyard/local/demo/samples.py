"""A few files to try the installation with: the demo's last lines name them."""

import shutil
from pathlib import Path

from PIL import Image

from modelyard.local.demo import DEPLOYMENT
from modelyard.local.demo.data import HeldOut

MINE = "my-digits"
_PER_CLASS = 40

_CLIENT = '''"""An unmodified TensorFlow Serving client; it takes an image's path."""

import sys
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

address, token_file, image = sys.argv[1:]
request = predict_pb2.PredictRequest()
request.model_spec.name = "{deployment}"
request.model_spec.signature_name = "encoded"
request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([Path(image).read_bytes()]))
metadata = [("authorization", "Bearer " + Path(token_file).read_text().strip())]
with grpc.insecure_channel(address) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=30, metadata=metadata)
print(tf.make_ndarray(response.outputs["label"])[0].decode())
'''


def write_samples(folder: Path, data: HeldOut) -> Path:
    """`digit.png`, the folder `my-digits` with a folder a class, and `client.py`; answers the folder."""
    if not (folder / MINE).is_dir():
        partial = folder / f"{MINE}.new"
        shutil.rmtree(partial, ignore_errors=True)
        for digit in range(10):
            for index in (data.labels == digit).nonzero()[0][:_PER_CLASS]:
                path = partial / str(digit) / f"{index:05}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(data.images[index, :, :, 0]).save(path)
        partial.rename(folder / MINE)
    Image.fromarray(data.images[0, :, :, 0]).save(folder / "digit.png")
    (folder / "client.py").write_text(_CLIENT.format(deployment=DEPLOYMENT))
    return folder
