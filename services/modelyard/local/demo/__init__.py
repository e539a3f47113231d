"""`make demo`: the main job on real data. MNIST in, a network trained on it, deployed, asked about 10,000 images.

It uses nothing but the SDK against an installation in `./.modelyard`, and may be interrupted anywhere: run again, it
takes up what is there.
"""

DATASET = "mnist"
TEMPLATE = "image-classification"
MODEL = f"{DATASET}-{TEMPLATE}"
DEPLOYMENT = "digits"
EPOCHS = 3
LEAST_ACCURACY = 0.985
