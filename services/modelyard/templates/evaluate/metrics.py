"""What metrics are called on a page and how their values are written."""

from modelyard.templates.evaluate.elements import number, percent

LABELS = {
    "accuracy": ("Accuracy", "right answers of all"),
    "auc": ("AUC", "area under the ROC curve"),
    "top5_accuracy": ("Top 5", "true class among the five likeliest"),
    "macro_f1": ("F1", "mean over classes"),
    "macro_precision": ("Precision", "mean over classes"),
    "macro_recall": ("Recall", "mean over classes"),
    "log_loss": ("Log loss", "cross-entropy, as in training"),
    "ece": ("Calibration error", "mean gap of probability and truth"),
    "map50": ("mAP@.5", "average precision, mean over classes"),
    "map75": ("mAP@.75", "the same where three quarters overlap"),
    "map": ("mAP@.5:.95", "the same, mean over overlaps"),
    "rank1": ("Rank 1", "the most similar picture is of the same identity"),
    "rank5": ("Rank 5", "one of the five most similar is"),
    "recall_at_50": ("Recall@50", "held-out items among the first 50"),
    "recall_at_10": ("Recall@10", "held-out items among the first 10"),
    "ndcg_at_10": ("NDCG@10", "the same, the first places count more"),
    "bleu": ("BLEU", "words and sequences of words that the references have too"),
    "chrf": ("chrF", "the same of characters; recall counts more"),
    "rouge_l": ("ROUGE-L", "longest sequence of words shared with the reference"),
    "rouge_1": ("ROUGE-1", "words shared with the reference"),
    "exact": ("Exact", "the same as the reference"),
    "length": ("Length", "words of the answers over those of the references"),
    "rmse": ("RMSE", "root of the mean squared difference"),
    "mae": ("MAE", "mean absolute difference"),
    "r2": ("R²", "1 = exact, 0 = as the mean"),
    "bits": ("Bits", "a symbol, of what was not seen"),
    "perplexity": ("Perplexity", "as many symbols in doubt"),
    "skill": ("Skill", "share of the season's error that is gone"),
    "bias": ("Bias", "mean of answered minus true"),
    "cer": ("Character errors", "edits a symbol of what is there"),
    "plain_cer": ("Plain errors", "the same without case and punctuation"),
    "wer": ("Word errors", "edits a word"),
}
"""In the order of the page: name -> title and explanation. Others are shown behind them by their names."""
LOWER_IS_BETTER = ("log_loss", "ece", "mce", "rmse", "mae", "bits", "perplexity", "cer", "plain_cer", "wer")
HIDDEN = ("accuracy_low", "accuracy_high", "mce")
_PERCENT = (
    "accuracy",
    "skill",
    "top5_accuracy",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "map50",
    "map75",
    "map",
    "rank1",
    "rank5",
    "recall_at_50",
    "recall_at_10",
    "exact",
    "cer",
    "plain_cer",
    "wer",
)


def with_what(kind: str) -> str:
    """How the floors of such a report are reached."""
    return "with much less" if kind == "writing" else "without looking"


def label(name: str) -> str:
    """What the metric is called."""
    return LABELS[name][0] if name in LABELS else name.replace("_", " ")


def written(name: str, value: float) -> str:
    """A value of the metric, as markup."""
    return percent(value) if name in _PERCENT else number(value)


def between(name: str, low: float, high: float) -> str:
    """Two values of the metric, as markup."""
    ends = written(name, low), written(name, high)
    if all(end.endswith(" %") for end in ends):
        return f"{ends[0].removesuffix(' %')} – {ends[1]}"
    return " – ".join(ends)
