"""The template `profile`: what is in a dataset version. No TensorFlow in here: it starts in no time."""

import os

# NumPy starts threads for multiplying matrices as soon as it is imported, and nothing here multiplies any.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
