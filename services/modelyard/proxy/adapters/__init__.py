"""What the proxy needs from elsewhere: the route table, revocations, a way to a model server."""
