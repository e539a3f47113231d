"""Who may want what next, and how they would rate it, from who chose what."""

from typing import Any

import keras
import numpy as np
from interactions import Interactions, counted, rows
from item_table import described
from serving import DEFAULT_K, Names, Recommender
from towers import Towers

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.spread import spread
from modelyard.templates.item_titles import item_titles

MOST_JUDGED = 2048
"""Held-out interactions that are looked at after each epoch, evenly spread."""
SHOWN = 16


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export what recommends."""
    params = context.params
    train, users, items = load()
    if params.permute:
        train = permuted(train)
    table = described(items, params.item_values)
    context.report_text("data", f"{len(users):,} users chose {len(train):,} times among {len(items):,} items")
    with context.strategy.scope():
        towers = Towers(train, len(users), len(items), table, params)
        steps = -(-len(users) // params.batch_size) * params.epochs
        rate = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps, alpha=0.01)
        towers.compile(keras.optimizers.Adam(rate), jit_compile=False)
        # A job that goes on restores the optimizer before the first step, which would else make its variables.
        towers.optimizer.build(towers.trainable_variables)
    towers.fit(
        np.arange(len(users), dtype=np.int32),
        batch_size=params.batch_size,
        validation_data=judged(train, users, items),
        validation_batch_size=towers.together(params.batch_size),
        epochs=params.epochs,
        callbacks=context.callbacks(),
        verbose=2,
    )
    recommender = Recommender(towers, train, users, items, item_titles(context))
    context.export(
        recommender,
        signature=recommender.signatures(),
        examples=examples(train, users, items),
        task="recommendation",
        inputs={"user": "user", "item": "item"},
    )


def load() -> tuple[Interactions, Names, Names]:
    """What is learnt from, and the users' and items' names, sorted. Raises DatasetUnsuitable."""
    found = rows("train")
    users, items = np.unique(found["user"]), np.unique(found["item"])
    for names, role in ((users, "user"), (items, "item")):
        if len(names) < 2:
            only = f"one {role} only ({names[0].decode(errors='replace')!r})" if len(names) else f"no {role}"
            raise DatasetUnsuitable(f"split 'train' has {only}; there are no other {role}s to compare")
    return counted(found, users, items), users, items


def judged(train: Interactions, users: Names, items: Names) -> Any:
    """Some of what is held out, of users and items that are known and without what is in `train` too; None where
    there is nothing."""
    if context.held_out is None:
        return None
    held_out = counted(rows(context.held_out), users, items)
    known = held_out.known()
    if len(known) < len(held_out):
        print(
            f"{len(held_out) - len(known):,} of the {len(held_out):,} interactions in split {context.held_out!r} are "
            "of users or items that training does not have; they are not judged while training"
        )
    known = known.where(~np.isin(known.pairs(len(items)), train.pairs(len(items))))
    if not len(known):
        return None
    known = known.where(spread(len(known), MOST_JUDGED))
    return ({"user": known.user, "item": known.item, "rating": known.rating},)


def permuted(train: Interactions) -> Interactions:
    """What was chosen goes to the wrong users, each of whom has as many as before; a pair that is there twice, once."""
    order = np.random.default_rng(context.seed).permutation(len(train))
    item, rating = train.item[order], train.rating[order]
    order = np.lexsort((item, train.user))
    item, rating = item[order], rating[order]
    first = np.append(True, (train.user[1:] != train.user[:-1]) | (item[1:] != item[:-1]))
    return Interactions(train.user, item, rating).where(first)


def examples(train: Interactions, users: Names, items: Names) -> dict[str, dict[str, Any]]:
    """Users and items that are asked when the model is exported, and a user that is not known."""
    some = spread(len(train), SHOWN - 1)
    names = np.append(users[train.user[some]], np.bytes_(b""))
    chosen = np.append(items[train.item[some]], items[0])
    return {
        "serving_default": {"user": names},
        "recommend": {"user": names, "k": min(DEFAULT_K, len(items))},
        "score": {"user": names, "item": chosen},
    }
