"""Classes that edgernn does not support are recognized and refused with a remedy."""

from __future__ import annotations

import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.file import read_model
from tests.export.keras.archives import (
    KERAS_3,
    call,
    called,
    functional,
    gru_weights,
    input_layer,
    layer,
    operation,
    read,
    sequential,
    tensor,
    write_h5,
)

SEQUENCE = input_layer("x", [None, 5, 2])
ATTENTION_OF_KERAS = layer("Attention", "a", use_scale=False, score_mode="dot")


@pytest.mark.parametrize(
    "own",
    [
        ATTENTION_OF_KERAS | {"module": None, "registered_name": "Attention"},
        ATTENTION_OF_KERAS | {"module": "my_layers"},
        ATTENTION_OF_KERAS | {"module": None, "class_name": "mine>Attention"},
        layer("Attention", "a") | {"module": None},  # as .h5 has it
    ],
)
def test_a_layer_of_ones_own_with_the_name_of_keras_layer_is_not_mistaken_for_it(tmp_path, own):
    config = functional(
        [called(SEQUENCE), called(own, call([tensor("x"), tensor("x")]))], ["x"], ["a"]
    )
    with pytest.raises(UnsupportedLayer, match=r"not one of Keras' own.*Build this part"):
        read(tmp_path, config)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("GroupedQueryAttention", "MultiHeadAttention"),
        ("IntegerLookup", "into tokens before"),
        ("SpectralNormalization", "LayerNormalization"),
        ("Unheard", "other layers"),
    ],
)
def test_the_remedy_fits_the_layer_that_is_refused(tmp_path, kind, remedy):
    with pytest.raises(UnsupportedLayer) as refusal:
        read(tmp_path, sequential(SEQUENCE, layer(kind, "odd")))
    assert remedy in refusal.value.remedy
    assert "docs/support.md" in refusal.value.remedy
    assert len(str(refusal.value)) < 300


def test_a_layer_of_ones_own_in_an_h5_file_is_named_with_a_remedy(tmp_path):
    """Keras 3 writes no module into .h5: the class could be an operation, too."""
    config = functional(
        [called(SEQUENCE), called(layer("Doubling", "own"), call(tensor("x")))], ["x"], ["own"]
    )
    for entry in config["config"]["layers"]:
        entry.pop("module")
    with pytest.raises(UnsupportedLayer) as refusal:
        read_model(write_h5(tmp_path / "m.h5", config, {}, KERAS_3))
    assert (refusal.value.layer, refusal.value.kind) == ("own", "Doubling")
    assert "docs/support.md" in refusal.value.remedy


def test_an_unknown_operation_is_named_and_not_what_reads_its_result(tmp_path):
    config = functional(
        [
            called(SEQUENCE),
            called(operation("Erfinv", "root"), call(tensor("x"))),
            called(operation("Add", "more"), call(tensor("root"), 1.0)),
            called(layer("GRU", "gru", units=3), call(tensor("more"))),
        ],
        ["x"],
        ["gru"],
    )
    with pytest.raises(UnsupportedLayer, match="operation Erfinv") as refusal:
        read(tmp_path, config, {"gru": gru_weights(2, 3)})
    assert refusal.value.layer == "root"
