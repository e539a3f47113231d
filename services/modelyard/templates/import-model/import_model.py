"""A model from elsewhere becomes a model version's tree."""

from modelyard.templates.importing import keras_file, saved_model
from modelyard.templates.importing.sources import KerasFile, find


def main() -> None:
    """Find out what was pushed, ask it a few examples, and hand it over to the gates."""
    from modelyard.job import context

    source = find(context.source)
    if isinstance(source, KerasFile):
        keras_file.bring_in(source.path, context)
    else:
        saved_model.bring_in(source.folder, context)
