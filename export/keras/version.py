"""The Keras version that wrote a model: defaults and rules of the config depend on it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgernn.errors import ModelFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasVersion:
    """A version as in `keras_version`: "2.2.4", "2.3.0-tf" (inside TensorFlow), "3.15.1"."""

    text: str
    major: int
    minor: int
    patch: int

    @property
    def is_standalone(self) -> bool:
        """The stand-alone keras package, before 2.4: some of its rules differ."""
        return (self.major, self.minor) < (2, 4) and "tf" not in self.text

    @property
    def bidirectional_zeros_masked_steps(self) -> bool:
        """Whether a Bidirectional that returns sequences sets masked steps to zeros."""
        return not self.is_standalone

    @property
    def merges_masks_by_or(self) -> bool:
        """Whether merging layers combine masks by `or` and use them (Keras 2: `and`, not used)."""
        return (self.major, self.minor) >= (3, 4)

    @property
    def drops_masks_of_lists(self) -> bool:
        """Keras 3.0 to 3.3 lost the mask wherever a layer takes a list (keras#19685)."""
        return self.major == 3 and self.minor < 4

    @property
    def keeps_mask_beside_initial_state(self) -> bool:
        """Keras 3 fills in the implicit mask only for a call with a single tensor argument."""
        return self.major < 3

    @property
    def attention_takes_masks(self) -> bool:
        """Whether MultiHeadAttention takes the masks off its inputs, for all layers behind it."""
        return (self.major, self.minor) >= (3, 8)

    @property
    def clears_masked_softmax(self) -> bool:
        """Whether a Softmax with a mask sets what the mask hides to zero."""
        return (self.major, self.minor) >= (3, 13)

    @property
    def gru_resets_after(self) -> bool:
        """GRU's default for `reset_after`, for configs that leave it out."""
        return self.major >= 3

    @property
    def recurrent_activation(self) -> str:
        """GRU's and LSTM's default, for configs that leave it out."""
        return "sigmoid" if self.major >= 3 else "hard_sigmoid"


def keras_version(text: str) -> KerasVersion:
    """Raises ModelFileError if it is no version, and for Keras 1."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", text)
    if match is None:
        raise ModelFileError(
            f"the model does not name the Keras version that wrote it (keras_version is {text!r})",
            remedy="Load it with that Keras and save it again",
        )
    major, minor, patch = (int(part or 0) for part in match.groups())
    if major < 2:
        raise ModelFileError(
            f"the model was written by Keras {text}",
            remedy="Load it with Keras 2 (keras.models.load_model) and save it again",
        )
    return KerasVersion(text=text, major=major, minor=minor, patch=patch)
