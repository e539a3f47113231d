"""The template `profile`: what is in a dataset version. No TensorFlow in here: it starts in no time."""
