"""The way of both templates from pairs of texts to a model that takes plain text."""

from dataclasses import dataclass

import keras
import numpy as np

from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.sequences import pairs as pairs_of
from modelyard.templates.sequences.judging import Judging, Score
from modelyard.templates.sequences.network import Network
from modelyard.templates.sequences.pairs import Pairs, numbered
from modelyard.templates.sequences.speaking import Speaker
from modelyard.templates.sequences.vocabulary import learn as learn_vocabulary
from modelyard.templates.sequences.vocabulary import typical_length

WARM = 0.05
"""Part of the steps in which the step size grows."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What makes one template another."""

    task: str
    metric: str
    score: Score
    most_source: int
    """Tokens that are read where nobody says how many."""
    most_target: int


def learn(context: Context, writing: Writing) -> None:
    """Train on the split `train`, judge on what the dataset holds out, export what takes plain text."""
    params = context.params
    names = pairs_of.names(context, writing.task, params.text)
    train = pairs_of.load(context, "train", names)
    most_source = 1 + (params.source_tokens or typical_length(train.source_tokens, writing.most_source))
    most_target = 1 + (params.target_tokens or typical_length(train.target_tokens, writing.most_target))
    sources = learn_vocabulary(train.source_tokens, params.vocabulary)
    targets = learn_vocabulary(train.target_tokens, params.vocabulary)
    context.report_text(
        "tokens",
        f"{most_source - 1} are read and {most_target - 1} written at most; {len(sources):,} are told apart in "
        f"{names.source!r}, {len(targets):,} in {names.target!r}",
    )
    held_out = judged(context, train, names, params.judged)
    with context.strategy.scope():
        network = Network(params, len(sources), len(targets), most_source, most_target)
        steps = -(-len(train) // params.batch_size) * params.epochs
        warm = max(1, int(WARM * steps))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm), alpha=0.01, warmup_target=params.learning_rate, warmup_steps=warm
        )
        network.compile(keras.optimizers.Adam(rate, beta_2=0.98, global_clipnorm=1.0), jit_compile=False)
        # A job that goes on restores the optimizer before the first step, which would else make its variables.
        network.optimizer.build(network.trainable_variables)
        speaker = Speaker(network, sources, targets, most_source, params.beams)
    inputs, wanted = numbered(train, sources, targets, most_source, most_target)
    network.fit(
        inputs,
        wanted,
        batch_size=params.batch_size,
        validation_data=numbered(held_out, sources, targets, most_source, most_target) if held_out else None,
        validation_batch_size=params.batch_size,
        epochs=params.epochs,
        callbacks=[
            *(
                [Judging(context, speaker, held_out, writing.metric, writing.score, params.batch_size)]
                if held_out
                else []
            ),
            *context.callbacks(),
        ],
        verbose=2,
    )
    shown = held_out or train
    some = spread(len(shown), 15)
    context.export(
        speaker,
        signature=speaker.signatures(names.source, params.decoding),
        examples={names.source: np.append(shown.source[some], b"")},
        task=writing.task,
        inputs={names.source: "text"},
    )


def judged(context: Context, train: Pairs, names: pairs_of.Names, most: int) -> Pairs | None:
    """Some of what is held out, without sources that are learnt from; None where there is nothing."""
    if context.held_out is None:
        return None
    held_out = pairs_of.load(context, context.held_out, names)
    unseen = held_out.unseen(train, most)
    if not len(unseen):
        what = "every source" if len(held_out) else "one side of every pair"
        how = "in 'train' too" if len(held_out) else "empty"
        print(f"{what} of split {context.held_out!r} is {how}; nothing is judged while training")
        return None
    return unseen
