"""The two ways in: inside Envoy (`asgi`, started by `envoy`), and `grpc.aio` with uvicorn (`aio`)."""
