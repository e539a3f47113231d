"""What a SavedModel's graph says by itself, for all who load one: pure, they bring TensorFlow and its messages."""
