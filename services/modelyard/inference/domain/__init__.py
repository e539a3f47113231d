"""Pure: what a deployment is, and what has to be done so that the hosts look like it."""
