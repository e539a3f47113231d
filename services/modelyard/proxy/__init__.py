"""The installation's one address, and the way of every prediction to its model server."""
