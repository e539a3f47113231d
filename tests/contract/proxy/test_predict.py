"""A prediction through the one address, on both fronts."""

from modelyard.api.serving.v1 import predict_pb2
from tests.contract.proxy.stack import Stack, call, predict_request, route


async def test_a_prediction_reaches_the_model_server_byte_for_byte(stack: Stack) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        request = predict_request(values=[0.5, 0.25])

        answer = await call(channel, stack.issuers.token("predictor", "default"), request)

        assert server.requests == [request]
        response = predict_pb2.PredictResponse.FromString(answer)
        assert (response.model_spec.version.value, list(response.outputs["image"].float_val)) == (1, [0.5, 0.25])
