"""Compiled models, kept for the next training like theirs: tracing one takes seconds."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

#: Architectures of a comparison at equal units and equal bytes, with their controls: trained in
#: turns, so one too few would be traced every time.  Each holds some 10 MB.
_MOST: Final = 12


class KeptModels:
    """The models that this process trained last."""

    def __init__(self) -> None:
        self._models: OrderedDict[Hashable, tuple[Any, list[Any]]] = OrderedDict()

    def like(self, fresh: Any, compiled_for: Hashable) -> Any:
        """A model that trains as `fresh` would, with its weights: `fresh` itself the first time.

        fresh: a compiled keras.Model that has seen no row.
        compiled_for: whatever decides its loss and optimizer.
        Models with dropout are not kept, since they keep a state of chance.
        """
        if any("dropout" in layer.name for layer in fresh.layers):
            return fresh
        key = (json.dumps(fresh.get_config(), sort_keys=True, default=str), compiled_for)
        if key not in self._models:
            fresh.optimizer.build(fresh.trainable_variables)
            self._models[key] = fresh, [one.numpy() for one in fresh.optimizer.variables]
        self._models.move_to_end(key)
        if len(self._models) > _MOST:
            self._models.popitem(last=False)
        model, start = self._models[key]
        if model is not fresh:
            model.set_weights(fresh.get_weights())
        for variable, value in zip(model.optimizer.variables, start, strict=True):
            variable.assign(value)
        return model
