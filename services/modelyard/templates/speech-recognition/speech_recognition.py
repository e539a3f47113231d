"""Speech recognition: sounds become spectra in the graph, convolutions and a GRU listen, CTC aligns the symbols."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from speech_listeners import build

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.templates.hearing import serving
from modelyard.templates.hearing.lengths import lengths
from modelyard.templates.hearing.log_mel import HOP_S, window_of
from modelyard.templates.transcripts import ctc
from modelyard.templates.transcripts.alphabet import Alphabet, learn, plain
from modelyard.templates.transcripts.examples import Learnable, features, learnable, texts_of
from modelyard.templates.transcripts.samples import transcribed

COVERED, LONGEST_S = 99, 20.0
WIDER = "a step is 40 ms"


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that listens."""
    params = context.params
    sound, transcript = features(context, "audio")
    there = lengths(context, "train", sound)
    rate = params.sample_rate or there.usual_rate
    seconds = params.seconds or there.covering(COVERED, LONGEST_S)
    samples = round(rate * seconds)
    if samples < window_of(rate) + 4 * round(rate * HOP_S):
        raise DatasetUnsuitable(
            f"{seconds:g} s at {rate:,} samples a second are too little to hear anything in",
            field="parameters.seconds",
        )
    form: dict[str, Any] = {"columns": [sound, transcript], "sample_rate": rate, "seconds": seconds}
    sounds, values = context.arrays("train", **form)
    texts = written(values)
    alphabet = learn(texts, params.alphabet, "train")
    context.report_text("sounds", f"{rate:,} samples a second, the first {seconds:g} s of each")
    context.report_text("alphabet", alphabet.summary("train"))
    with context.strategy.scope():
        model = build(
            params.network,
            rate=rate,
            samples=samples,
            bands=params.bands,
            symbols=len(alphabet.symbols),
            units=params.units,
            depth=params.layers,
            dropout=params.dropout,
            augment=params.augment == "shift",
            seed=context.seed,
        )
        ctc.compile_model(model, params.learning_rate, -(-len(texts) // params.batch_size) * params.epochs)
    steps = model.output_shape[1]
    cut = lengths(context, "train", sound).seconds > seconds
    heard = learnable(context, "train", sounds, texts, alphabet, steps, wider=WIDER, cut=cut)
    if params.shuffle_labels:
        heard = replace(heard, labels=np.random.default_rng(context.seed).permutation(heard.labels))
    judged = held_out(form, sound, alphabet, steps, seconds)
    model.fit(
        heard.batches(context, params.batch_size, is_training=True),
        validation_data=judged.batches(context, params.batch_size, is_training=False) if judged else None,
        epochs=params.epochs,
        callbacks=[*([transcribed(context, model, judged, alphabet)] if judged else []), *context.callbacks()],
        verbose=2,
    )
    export(model, sound, rate, seconds, alphabet.symbols)


def written(values: NDArray[np.object_]) -> list[str]:
    """The transcripts as they are learnt."""
    texts = texts_of(values)
    return [plain(text) for text in texts] if context.params.plain else texts


def held_out(form: dict[str, Any], sound: str, alphabet: Alphabet, steps: int, seconds: float) -> Learnable | None:
    """What the model is judged on after each epoch; None where nothing is held out."""
    split = context.held_out
    if not split:
        return None
    sounds, values = context.arrays(split, **form)
    cut = lengths(context, split, sound).seconds > seconds
    return learnable(context, split, sounds, written(values), alphabet, steps, wider=WIDER, cut=cut)


def export(model: Any, sound: str, rate: int, seconds: float, symbols: tuple[str, ...]) -> None:
    """The best path is what is answered; `beam` answers the likeliest transcripts."""

    def answer(sounds: Any) -> Mapping[str, Any]:
        return ctc.greedy(model(sounds, training=False), symbols)

    @tf.function(input_signature=[tf.TensorSpec((None, round(rate * seconds)), tf.float32, sound)])
    def beam(sounds: Any) -> Mapping[str, Any]:
        return ctc.beam(model(sounds, training=False), symbols)

    serving.export(
        context,
        model,
        answer,
        feature=sound,
        rate=rate,
        seconds=seconds,
        task="speech-recognition",
        more={"beam": beam},
    )
