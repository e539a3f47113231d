"""One machine: the supervisor behind `modelyard up`, and the demo."""
