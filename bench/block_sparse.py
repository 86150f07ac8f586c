"""What pruning blocks of 4 x 16 weights costs in accuracy, and gains in time at best.

    python -m bench.block_sparse accuracy 0.6 0    # a GRU of 256 units on ten languages, a seed
    python -m bench.block_sparse speed             # bench/block_sparse.c; AVX-512 with VNNI

An experiment: docs/int4.md has the figures of `speed`, which decided that the product has no
sparsity.  Figures of `accuracy` are not recorded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.aware.deployed import copied
from edgernn.export.keras.file import parameters_of
from edgernn.tasks.data import task_named
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.samples import Splits
from edgernn.tasks.training import train

_HERE: Final = Path(__file__).parent
_LIBRARY: Final = _HERE.parent / "edgernn" / "runtime" / "c"

_UNITS: Final = 256
_ROWS, _COLUMNS = 4, 16  # of a block: a vector of 64 bytes, as kernels store them
_FIRST_EPOCHS: Final = 3  # of 80,000 rows
_TRAIN_ROWS: Final = 8000  # of a fine-tuning
_EPOCHS: Final = 8
_PRUNING_EPOCHS: Final = 5  # of these
_RATE: Final = 5e-4
_BATCH: Final = 128


def kept_blocks(kernel: npt.NDArray[np.float32], zeros: float) -> npt.NDArray[np.float32]:
    """A mask in the shape of the kernel [K, N]: the blocks of the largest norms are 1.

    >>> kept_blocks(kernel, 0.6).mean()
    0.4
    """
    rows, columns = kernel.shape
    blocks = kernel.reshape(rows // _ROWS, _ROWS, columns // _COLUMNS, _COLUMNS)
    norms = (blocks**2).sum(axis=(1, 3))
    dropped = round(zeros * norms.size)
    mask = np.ones(norms.size, np.float32)
    mask[np.argsort(norms, axis=None, kind="stable")[:dropped]] = 0
    grid = mask.reshape(norms.shape)[:, None, :, None]
    return np.broadcast_to(grid, blocks.shape).reshape(rows, columns)


def share_at(step: int, steps: int, zeros: float) -> float:
    """Zeros after a step: fast at first, slow at the end (Zhu and Gupta, 2017)."""
    return zeros * (1 - (1 - min(step / steps, 1.0)) ** 3)


def accuracies(zeros: float, seed: int) -> dict[str, float]:
    """Shares of the test: before, after a fine-tuning in float, and after the same with pruning."""
    keras = load_keras()
    task = task_named("languages")
    splits = task.read(lambda _phase: None)
    with TemporaryDirectory() as folder:
        start = Path(folder) / "gru.keras"
        train(
            *(splits, start),
            task="languages",
            cell="gru",
            recipe=replace(task.recipe, units=_UNITS, epochs=_FIRST_EPOCHS),
            seed=seed,
            count_parameters=parameters_of,
        )
        base = keras.models.load_model(start)
    found = {"before": _accuracy(base, splits)}
    for name, share in (("float", 0.0), ("pruned", zeros)):
        keras.utils.set_random_seed(seed)
        model = copied(base)
        model.compile(keras.optimizers.Adam(_RATE), "sparse_categorical_crossentropy")
        pruning = _pruning(model, share, _TRAIN_ROWS // _BATCH * _PRUNING_EPOCHS)
        model.fit(
            *(splits.train.x[:_TRAIN_ROWS], np.asarray(splits.train.y)[:_TRAIN_ROWS]),
            epochs=_EPOCHS,
            batch_size=_BATCH,
            verbose=0,
            callbacks=[pruning] if share else [],
        )
        found[name] = _accuracy(model, splits)
        kernels = [np.asarray(one) for one in _kernels(model)]
        print(f"{name}: {100 * found[name]:.2f} %, zeros {_zeros(kernels):.3f}", flush=True)
    return found


def _pruning(model: Any, zeros: float, steps: int) -> Any:
    class Pruning(load_keras().callbacks.Callback):  # type: ignore[misc, name-defined]
        """After each batch: blocks that are gone stay zero, every 20th more of them go."""

        seen = 0
        masks: tuple[Any, ...] = ()

        def on_train_batch_end(self, _batch: int, _logs: Any = None) -> None:
            kernels = _kernels(model)
            if self.seen % 20 == 0 and self.seen <= steps + 20:
                share = share_at(self.seen, steps, zeros)
                self.masks = tuple(kept_blocks(np.asarray(one), share) for one in kernels)
            self.seen += 1
            for kernel, mask in zip(kernels, self.masks, strict=True):
                kernel.assign(kernel * mask)

    return Pruning()


def _kernels(model: Any) -> list[Any]:
    return [
        one
        for layer in model.layers
        if type(layer).__name__ == "GRU"
        for one in layer.trainable_weights
        if one.path.endswith("kernel")
    ]


def _zeros(kernels: list[Any]) -> float:
    return float(np.mean([np.mean(kernel == 0) for kernel in kernels]))


def _accuracy(model: Any, splits: Splits) -> float:
    found = np.asarray(model.predict(splits.test.x, batch_size=256, verbose=0)).argmax(-1)
    return float(np.mean(found == np.asarray(splits.test.y)))


def speed() -> None:
    """Compiles the prototype with the library, and runs it."""
    with TemporaryDirectory() as folder:
        program = Path(folder) / "block_sparse"
        sources = [_HERE / "block_sparse.c", *sorted(_LIBRARY.glob("*.c"))]
        flags = ["-std=gnu11", "-O3", f"-I{_LIBRARY}"]
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, *flags, *sources, "-o", program, "-lm"], check=True)
        subprocess.run([program], check=True)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["accuracy", zeros, seed]:
            for name, share in accuracies(float(zeros), int(seed)).items():
                print(f"{name}: {100 * share:.2f} %")
        case ["speed"]:
            speed()
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
