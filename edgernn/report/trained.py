"""What `edgernn train` says when it is done."""

from __future__ import annotations

from edgernn.tasks.training_log import TrainingLog


def trained_text(log: TrainingLog) -> str:
    """Three lines: the model, what it reaches beside the baselines, what it cost."""
    test, baselines = log.test, log.baselines
    reached = (
        f"test accuracy {_percent(test.accuracy)} ({_percent(test.low)} to "
        f"{_percent(test.high)}, {test.samples:,} rows); a constant answer reaches "
        f"{_percent(baselines.trivial)}, a linear classifier {_percent(baselines.linear)}"
    )
    model = f"{log.model}: {layers_text(log)}, {log.parameters:,} parameters"
    lines = [model, reached, cost_text(log)]
    if log.perplexity is not None:
        counted = log.perplexity
        lines.insert(
            2,
            f"test perplexity {counted.network:.2f}; counting reaches {counted.unigram:.2f} "
            f"(unigrams) and {counted.bigram:.2f} (bigrams)",
        )
    return "\n".join(lines)


def layers_text(log: TrainingLog) -> str:
    """gru-lstm of 128 units, 2 times"""
    times = f", {log.settings.layers} times" if log.settings.layers > 1 else ""
    return f"{log.settings.cell} of {log.settings.units} units{times}"


def cost_text(log: TrainingLog) -> str:
    """How long the training took to reach its best epoch."""
    if not log.epochs:
        return "untrained: 0 epochs were asked for"
    return (
        f"best after epoch {log.epochs_to_best} of {len(log.epochs)}, "
        f"{log.seconds_to_best:.0f} of {log.seconds:.0f} s"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
