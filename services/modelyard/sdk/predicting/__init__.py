"""Questions to a deployment with what people have in their hands: texts, files, rows of tables."""

from modelyard.sdk.predicting.answers import Answer
from modelyard.sdk.predicting.asking import Asker
from modelyard.sdk.predicting.model import Input, Model, Way
from modelyard.sdk.predicting.rows import Row, RowProblem

__all__ = ["Answer", "Asker", "Input", "Model", "Row", "RowProblem", "Way"]
