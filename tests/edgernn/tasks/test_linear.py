"""The linear model of bags of tokens is the ridge regression that numpy solves."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.tasks import linear
from edgernn.tasks.samples import Samples

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("at_once", [True, False])
def test_bags_of_tokens_are_regressed_as_numpy_does(
    at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "_FEW_TOKENS", 1_000 if at_once else 0)
    x = RNG.integers(0, 30, (200, 7)).astype(np.int32)
    y = RNG.integers(0, 3, 200)
    samples = Samples(name="t", x=x, y=y, labels=("a", "b", "c"), features="tokens")
    bags = np.zeros((200, 30))
    bags[np.arange(200)[:, None], x] = 1
    bags /= np.linalg.norm(bags, axis=1, keepdims=True)
    targets = np.eye(3)[y]
    mean = targets.mean(axis=0)
    weights = np.linalg.solve(bags.T @ bags + np.eye(30), bags.T @ (targets - mean))
    given = linear.ridge_scores(samples, targets, samples)
    np.testing.assert_allclose(given, bags @ weights + mean, atol=1e-3)
