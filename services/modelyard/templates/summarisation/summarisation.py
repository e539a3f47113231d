"""Summarisation: a long text becomes a short one, whose words may be taken from the long one."""

from modelyard.job import context
from modelyard.templates.sequences.learning import Writing, learn
from modelyard.templates.text_scores.rouge import mean_rouge_l

MOST_SOURCE, MOST_TARGET = 64, 40


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes plain text."""
    learn(context, Writing("summarisation", "rouge_l", mean_rouge_l, MOST_SOURCE, MOST_TARGET))
