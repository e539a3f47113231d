"""Translation: a text in one language becomes one in another."""

from modelyard.job import context
from modelyard.templates.sequences.learning import Writing, learn
from modelyard.templates.text_scores.bleu import bleu

MOST_SOURCE = MOST_TARGET = 100


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes plain text."""
    learn(context, Writing("translation", "bleu", bleu, MOST_SOURCE, MOST_TARGET))
