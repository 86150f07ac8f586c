"""What `edgernn train` says when it is done."""

from __future__ import annotations

from edgernn.scoring.metric import METRICS
from edgernn.tasks.samples import Baselines
from edgernn.tasks.score import Score
from edgernn.tasks.training_log import TrainingLog


def trained_text(log: TrainingLog) -> str:
    """The model, what it reaches beside the baselines, what it cost: a line for each.  Of several
    outputs, a line for what each reaches; on a grid, a line for the same training in float.
    """
    reached = [_reached(log.output if log.others else "", log.test, log.baselines)]
    reached += [_reached(one.output, one.test, one.baselines) for one in log.others]
    model = f"{log.model}: {layers_text(log)}, {log.parameters:,} parameters"
    return "\n".join([model, *reached, *_beside_float(log), cost_text(log)])


def _beside_float(log: TrainingLog) -> list[str]:
    """What weights on a grid cost: the same fine-tuning in float is the measure."""
    one = log.on_grid
    if one is None:
        return []
    metric = METRICS[log.test.metric]
    values = [metric.text(score.value) for score in (log.test, one.control, one.before)]
    lines = [
        "{} weights: {}; the same training in float: {}; {} before it: {}".format(
            one.scheme, *values[:2], one.start, values[2]
        )
    ]
    if one.left_in_float:
        lines.append(f"on no grid, and so trained in float: {', '.join(one.left_in_float)}")
    return lines


def _reached(output: str, test: Score, baselines: Baselines) -> str:
    metric, where = METRICS[test.metric], f" of {output}" if output else ""
    return (
        f"test {metric.name}{where} {metric.text(test.value)} ({metric.text(test.low)} to "
        f"{metric.text(test.high)}, {test.samples:,} rows); {baselines.trivial_name}: "
        f"{metric.text(baselines.trivial)}, {baselines.linear_name}: "
        f"{metric.text(baselines.linear)}"
    )


def layers_text(log: TrainingLog) -> str:
    """gru-lstm of 128 units, 2 times"""
    times = f", {log.settings.layers} times" if log.settings.layers > 1 else ""
    return f"{log.settings.cell} of {log.settings.units} units{times}"


def cost_text(log: TrainingLog) -> str:
    """How long the training took to reach the epoch whose weights were kept."""
    if not log.epochs:
        return "untrained: 0 epochs were asked for"
    if log.on_grid is not None and log.settings.patience == 0:
        return f"the weights of the last of {len(log.epochs)} epochs, {log.seconds:.0f} s"
    return (
        f"best after epoch {log.epochs_to_best} of {len(log.epochs)}, "
        f"{log.seconds_to_best:.0f} of {log.seconds:.0f} s"
    )
