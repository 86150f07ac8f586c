"""The table of supported layer classes; all others are refused before anything else is read."""

from __future__ import annotations

from typing import Final

from edgernn.export.keras.config import LayerConfig, walk
from edgernn.export.keras.keras_class import KerasClass
from edgernn.export.keras.recurrent import CELLS
from edgernn.export.keras.wrappers import INSIDE, WRAPPERS

#: Every supported layer class.
CLASSES: Final[dict[str, KerasClass]] = {**INSIDE, **WRAPPERS}

_OPERATION_LAYERS: Final = frozenset({"TFOpLambda", "SlicingOpLambda"})
_DOCUMENTED: Final = "docs/support.md lists the layers that edgernn supports"

#: By words in the class's name.
_REMEDIES: Final[dict[tuple[str, ...], str]] = {
    ("ConvLSTM",): "Use TimeDistributed(Conv2D), Flatten and an LSTM",
    ("2DTranspose",): "Use UpSampling2D and Conv2D",
    ("3D",): "Use TimeDistributed with the layer of two dimensions",
    ("Resizing", "Crop"): "Resize the images before the model",
    ("Attention",): "Use MultiHeadAttention or Attention",
    ("IntegerLookup", "Hash", "Category", "Discretization"): (
        "Turn the data into tokens before the model"
    ),
    ("Random",): "Leave augmentation out of the exported model",
    ("Normalization",): "Train it with LayerNormalization or BatchNormalization",
}
_CELLS: Final = frozenset({*CELLS, "StackedRNNCells"})


def is_operation(layer: LayerConfig) -> bool:
    """Whether this is an operation rather than a layer: of Keras 3, or of TensorFlow in Keras 2."""
    return layer.is_operation or layer.kind in _OPERATION_LAYERS


def refuse_unknown(model: LayerConfig) -> None:
    """Raises UnsupportedLayer for the first unsupported layer, in the model's order.

    This runs before weights are read, because the weights of an unknown layer are unknown.
    """
    for layer in walk(model):
        if not (layer.is_model or is_operation(layer)):
            _refuse_code(layer)
            _refuse_quantized(layer)
            _refuse_class(layer)
            if layer.kind in CLASSES:
                CLASSES[layer.kind].refuse(layer)


def _refuse_code(layer: LayerConfig) -> None:
    if layer.kind == "Lambda":
        raise layer.unsupported(
            "contains Python code, which edgernn never runs",
            "Replace it by Keras layers (Rescaling, Activation, Reshape, ...)",
        )


def _refuse_quantized(layer: LayerConfig) -> None:
    policy = layer.options.get("dtype")
    kind = policy.get("class_name") if isinstance(policy, dict) else ""
    if "Quantized" in str(kind) or layer.options.get("quantization_config"):
        raise layer.unsupported(
            "was quantized by Keras",
            "Export the model as it was before model.quantize(); edgernn quantizes it itself",
        )


def _refuse_class(layer: LayerConfig) -> None:
    in_stack = layer.is_cell and layer.path[-1].startswith("cells/")
    if layer.is_custom and not layer.is_cell:
        raise layer.unsupported(
            "is not supported: its class is not one of Keras' own",
            f"Build this part of the model from Keras' layers; {_DOCUMENTED}",
        )
    known = CELLS if in_stack else _CELLS
    if layer.is_cell and (layer.is_custom or layer.kind not in known):
        raise layer.unsupported(
            "is a cell that edgernn does not support", f"Use one of {', '.join(CELLS)}"
        )
    if not layer.is_cell and layer.kind not in CLASSES:
        raise layer.unsupported("is not a layer that edgernn supports", _instead_of(layer))


def _instead_of(layer: LayerConfig) -> str:
    """What to do about an unsupported class."""
    for words, remedy in _REMEDIES.items():
        if any(word in layer.kind for word in words):
            return f"{remedy}; {_DOCUMENTED}"
    return f"Build this part of the model from other layers; {_DOCUMENTED}"
