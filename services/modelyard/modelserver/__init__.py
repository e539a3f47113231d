"""The embedded model server: TensorFlow Serving's contract, in Python (design §2.12).

Importing this package is cheap; TensorFlow is imported by `servable` and `tensors` only.
"""
