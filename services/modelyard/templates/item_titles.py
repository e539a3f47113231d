"""What items are called."""

import numpy as np

from modelyard.job.session import Context


def item_titles(context: Context) -> dict[bytes, str]:
    """Item -> the first text that its table has of it; {} without a table, or without texts in it."""
    table = context.data.index.items
    if table is None:
        return {}
    key = next((name for name, each in table.features.items() if each.role == "item"), "")
    text = next((name for name, each in table.features.items() if each.kind == "text" and each.role == "input"), "")
    if not key or not text:
        return {}
    columns = context.items()
    keys = np.asarray(columns[key]).astype(np.bytes_).tolist()
    return {item: bytes(title).decode(errors="replace") for item, title in zip(keys, columns[text], strict=True)}
