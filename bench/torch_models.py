"""A keyword spotter in PyTorch: its .pt2 file, its answers, and litert-torch's files of it.

Run by the Python of the peer's environment, which has no edgernn
(`python -m bench.torch_models FOLDER`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.made_up_words import FEATURES, STEPS, WORDS, spoken

UNITS: Final = 128
ROWS: Final = {"train": 1200, "calibrate": 64, "fresh": 600}
EPOCHS: Final = 6


def main(folder: Path) -> None:
    """Writes keyword.pt2, keyword.npz (calibration), fresh.npz, and litert-*.tflite."""
    import litert_torch
    import torch
    from ai_edge_quantizer import quantizer, recipe

    torch.manual_seed(0)
    torch.set_num_threads(1)
    rows = {name: spoken(count, seed) for seed, (name, count) in enumerate(ROWS.items())}
    module = _trained(torch, *rows["train"])
    example = (torch.zeros(2, STEPS, FEATURES),)
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(module, example, dynamic_shapes=shapes), folder / "keyword.pt2"
    )
    np.savez(folder / "keyword.npz", x=rows["calibrate"][0])
    fresh, labels = rows["fresh"]
    with torch.no_grad():
        answers = module(torch.from_numpy(fresh)).numpy()
    np.savez(folder / "fresh.npz", x=fresh, labels=labels, answers=answers)
    floats = folder / "litert-float32.tflite"
    litert_torch.convert(module, (torch.zeros(1, STEPS, FEATURES),)).export(str(floats))
    for name, chosen in {
        "dynamic": recipe.dynamic_wi8_afp32(),
        "int8": recipe.static_wi8_ai8(),
    }.items():
        quantized = quantizer.Quantizer(str(floats), chosen)
        ranges = quantized.calibrate(_calibration(floats, rows["calibrate"][0]), num_threads=1)
        made = quantized.quantize(ranges)
        made.export_model(str(folder / f"litert-{name}.tflite"), overwrite=True)


def _trained(torch: Any, x: np.ndarray, labels: np.ndarray) -> Any:
    """x [batch, steps, features] -> GRU -> its last output -> the words' probabilities."""

    class Keyword(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.GRU(FEATURES, UNITS, batch_first=True)
            self.fc = torch.nn.Linear(UNITS, WORDS)

        def scores(self, rows: Any) -> Any:
            return self.fc(self.rnn(rows)[0][:, -1])

        def forward(self, rows: Any) -> Any:
            return torch.softmax(self.scores(rows), dim=-1)

    module = Keyword()
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    rows, words = torch.from_numpy(x), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(rows)).split(64):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(module.scores(rows[batch]), words[batch])
            loss.backward()
            optimizer.step()
    return module.eval()


def _calibration(path: Path, x: np.ndarray) -> dict[str, list[dict[str, np.ndarray]]]:
    """By signature and argument, as the file names them."""
    from ai_edge_litert.interpreter import Interpreter

    ((signature, ports),) = Interpreter(str(path)).get_signature_list().items()
    return {signature: [{ports["inputs"][0]: row[None]} for row in x]}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
