"""Models as people build them: taggers, encoders of documents, several inputs, masks by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.zoo.case import BOTH, Case, Gaps, Generation, Keras, sequence, state, tokens

_KERAS2 = (Generation.KERAS2,)


def cases() -> Iterator[Case]:
    yield Case(name="practice-characters_and_words", build=_characters, generations=BOTH)
    yield Case(name="practice-characters_by_convolution", build=_windows, generations=BOTH)
    yield Case(name="practice-document", build=_document(False), generations=BOTH)
    yield Case(
        name="practice-document-masked",
        build=_document(True),
        gaps=Gaps.HOLES,
        generations=BOTH,
    )
    yield Case(name="practice-category_beside_series", build=_category, generations=BOTH)
    yield Case(name="practice-states_from_features", build=_states_from_features, generations=BOTH)
    yield Case(name="practice-inputs_by_name", build=_by_name)
    yield Case(name="practice-lagged_tokens", build=_lagged_tokens, generations=BOTH)
    yield Case(name="practice-encoder_twice", build=_encoder_twice, generations=BOTH)
    yield Case(
        name="practice-translator", build=_translator, gaps=Gaps.RIGHT, generations=BOTH, steps=6
    )
    yield Case(name="practice-anomaly_score", build=_anomaly_score, steps=8, generations=BOTH)
    yield Case(name="practice-gated_residual", build=_gated_residual, generations=BOTH)
    yield Case(name="practice-mask_as_input", build=_mask_as_input, gaps=Gaps.EMPTY_ROW,
               generations=BOTH)  # fmt: skip
    yield Case(name="practice-mask_by_hand", build=_mask_by_hand, gaps=Gaps.HOLES,
               generations=BOTH)  # fmt: skip
    yield Case(name="practice-mask_to_cells", build=_cells, gaps=Gaps.HOLES, generations=BOTH)
    yield Case(name="practice-cells_both_ways", build=_cells_both_ways, generations=BOTH)
    yield Case(name="practice-both_ways_each_step", build=_both_ways_each_step, generations=BOTH)
    yield Case(
        name="practice-stateful_from_a_state",
        build=_stateful_from_a_state,
        batch=2,
        calls=3,
        generations=BOTH,
    )
    yield Case(name="practice-adapted_normalization", build=_adapted, generations=BOTH)
    yield Case(name="practice-channels_first", build=_channels_first, generations=BOTH)
    yield Case(name="practice-long", build=_long, steps=200, batch=2, generations=BOTH)
    yield Case(name="practice-time_major", build=_time_major(True), generations=_KERAS2)
    yield Case(name="practice-time_major-last", build=_time_major(False), generations=_KERAS2)


def _characters(k: Keras) -> Any:
    """A tagger that reads each word's letters too."""
    words, letters = tokens(k, 5), k.Input(batch_shape=(None, 5, 6), dtype="int32")
    x = k.layers.TimeDistributed(k.layers.Embedding(11, 3))(letters)
    x = k.layers.TimeDistributed(k.layers.LSTM(4))(x)
    x = k.layers.Concatenate()([k.layers.Embedding(11, 4)(words), x])
    x = k.layers.SpatialDropout1D(0.3)(x)
    x = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True, recurrent_dropout=0.2))(x)
    tags = k.layers.TimeDistributed(k.layers.Dense(3, activation="softmax"))(x)
    return k.Model([words, letters], tags)


def _windows(k: Keras) -> Any:
    letters = k.Input(batch_shape=(None, 5, 6), dtype="int32")
    x = k.layers.TimeDistributed(k.layers.Embedding(11, 3))(letters)
    x = k.layers.TimeDistributed(k.layers.Conv1D(4, 3, padding="same", activation="tanh"))(x)
    x = k.layers.TimeDistributed(k.layers.MaxPooling1D(6))(x)
    x = k.layers.TimeDistributed(k.layers.Flatten())(x)
    x = k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True))(x)
    return k.Model(letters, k.layers.Dense(3, activation="softmax")(x))


def _document(masked: bool) -> Any:
    """Sentences read by a model of their own, then the document of them."""

    def build(k: Keras) -> Any:
        sentence = tokens(k, 5)
        x = k.layers.Embedding(11, 4, mask_zero=masked)(sentence)
        encoder = k.Model(sentence, k.layers.GRU(3)(x))
        document = k.Input(batch_shape=(None, 4, 5), dtype="int32")
        x = k.layers.TimeDistributed(encoder)(document)
        return k.Model(document, k.layers.Dense(2)(k.layers.LSTM(3)(x)))

    return build


def _category(k: Keras) -> Any:
    category, series = tokens(k, 1), sequence(k, 3, 7)
    x = k.layers.Flatten()(k.layers.Embedding(11, 4)(category))
    x = k.layers.Concatenate()([series, k.layers.RepeatVector(7)(x)])
    return k.Model([category, series], k.layers.LSTM(4)(x))


def _states_from_features(k: Keras) -> Any:
    fixed, series = state(k, 3), sequence(k)
    states = [k.layers.Dense(4, activation="tanh")(fixed) for _ in range(2)]
    return k.Model([fixed, series], k.layers.LSTM(4)(series, initial_state=states))


def _by_name(k: Keras) -> Any:
    """Dicts of inputs and outputs, whose order by name is not the one they are built in."""
    frames = k.Input(batch_shape=(None, 5, 4), name="later_frames")
    extra = k.Input(batch_shape=(None, 3), name="extra")
    x = k.layers.GRU(4)(frames)
    both = k.layers.Concatenate()([x, extra])
    results = {"score": k.layers.Dense(2)(x), "label": k.layers.Dense(3)(both)}
    return k.Model([frames, extra], [results[name] for name in sorted(results)])


def _lagged_tokens(k: Keras) -> Any:
    words = tokens(k, 6)
    table = k.layers.Embedding(11, 3)
    early, late = k.layers.GRU(3)(table(words[:, :4])), k.layers.GRU(3)(table(words[:, 2:]))
    return k.Model(words, early + late)


def _encoder_twice(k: Keras) -> Any:
    """A nested model of three results, called twice; one call's states start what follows."""
    inner_entry = sequence(k)
    inner = k.Model(
        inner_entry,
        list(k.layers.LSTM(4, return_sequences=True, return_state=True)(inner_entry)),
    )
    left, right = sequence(k), sequence(k)
    y, h, _ = inner(left)
    other_y, _, c = inner(right)
    added = k.layers.Add()([y, other_y])
    return k.Model([left, right], k.layers.LSTM(4)(added, initial_state=[h, c]))


def _translator(k: Keras) -> Any:
    """Both directions' states start the decoder, which attends to the encoder's steps."""
    source, target = tokens(k), tokens(k)
    table = k.layers.Embedding(11, 4, mask_zero=True)
    encoder = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True, return_state=True))
    steps, forward, backward = encoder(table(source))
    start = k.layers.Concatenate()([forward, backward])
    x = k.layers.GRU(6, return_sequences=True)(table(target), initial_state=start)
    x = k.layers.Concatenate()([x, k.layers.Attention()([x, steps])])
    words = k.layers.TimeDistributed(k.layers.Dense(5, activation="softmax"))(x)
    return k.Model([source, target], words)


def _anomaly_score(k: Keras) -> Any:
    """How far an autoencoder's answer is from what it was given."""
    entry = sequence(k, 3, 8)
    x = k.layers.Conv1D(6, 3, padding="same", activation="relu")(entry)
    x = k.layers.LSTM(5)(k.layers.MaxPooling1D(2)(x))
    x = k.layers.LSTM(5, return_sequences=True)(k.layers.RepeatVector(4)(x))
    x = k.layers.Conv1D(3, 3, padding="same")(k.layers.UpSampling1D(2)(x))
    error = x - entry
    return k.Model(entry, k.layers.GlobalAveragePooling1D()(error * error))


def _gated_residual(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Dense(4, activation="elu")(entry)
    x = k.layers.Multiply()([k.layers.Dense(4, activation="sigmoid")(x), x])
    x = k.layers.LayerNormalization()(k.layers.Add()([entry, x]))
    return k.Model(entry, k.layers.GRU(3, return_sequences=True)(x))


def _mask_as_input(k: Keras) -> Any:
    entry, mask = sequence(k), k.Input(batch_shape=(None, None), dtype="bool")
    return k.Model([entry, mask], k.layers.GRU(4, return_sequences=True)(entry, mask=mask))


def _mask_by_hand(k: Keras) -> Any:
    words = tokens(k)
    table = k.layers.Embedding(11, 4, mask_zero=True)
    x, mask = table(words), table.compute_mask(words)
    return k.Model(words, k.layers.GRU(4, return_sequences=True)(x * 2, mask=mask))


def _cells(k: Keras) -> Any:
    entry = sequence(k)
    cells = [k.layers.LSTMCell(4), k.layers.GRUCell(3)]
    layer = k.layers.RNN(cells, return_sequences=True, go_backwards=True)
    return k.Model(entry, layer(k.layers.Masking()(entry)))


def _cells_both_ways(k: Keras) -> Any:
    entry = sequence(k)
    cells = [k.layers.LSTMCell(4), k.layers.LSTMCell(3)]
    return k.Model(entry, k.layers.Bidirectional(k.layers.RNN(cells, return_sequences=True))(entry))


def _both_ways_each_step(k: Keras) -> Any:
    entry = k.Input(batch_shape=(None, 3, 5, 4))
    x = k.layers.TimeDistributed(k.layers.Bidirectional(k.layers.GRU(3)))(entry)
    return k.Model(entry, k.layers.LSTM(2)(x))


def _stateful_from_a_state(k: Keras) -> Any:
    entry, start = k.Input(batch_shape=(2, 5, 4)), k.Input(batch_shape=(2, 3))
    return k.Model([entry, start], k.layers.GRU(3, stateful=True)(entry, initial_state=start))


def _adapted(k: Keras) -> Any:
    """Normalization with statistics of data, once for each step and feature."""
    entry = sequence(k, 4, 6)
    layer = k.layers.Normalization(axis=(1, 2))
    layer.adapt(np.random.default_rng(3).normal(2.0, 3.0, (50, 6, 4)).astype(np.float32))
    return k.Model(entry, k.layers.GRU(3)(layer(entry)))


def _channels_first(k: Keras) -> Any:
    entry = k.Input(batch_shape=(None, 4, 6))
    mean = k.layers.GlobalAveragePooling1D(data_format="channels_first")(entry)
    x = k.layers.AveragePooling1D(2, data_format="channels_first")(entry)
    return k.Model(entry, [mean, k.layers.GRU(3)(x)])


def _long(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.LSTM(16, return_sequences=True)(entry)
    return k.Model(entry, k.layers.GRU(16, return_sequences=True)(x))


def _time_major(sequences: bool) -> Any:
    def build(k: Keras) -> Any:
        entry = k.Input(batch_shape=(6, None, 4))
        layer = k.layers.LSTM(5, return_sequences=sequences, time_major=True)
        return k.Model(entry, layer(entry))

    return build
