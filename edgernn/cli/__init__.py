"""The command line: the only place that prints.

Results go to stdout, progress and warnings to stderr.  Exit codes: edgernn.errors.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from edgernn.cli.lazy_group import LazyGroup
from edgernn.errors import EdgernnError
from edgernn.interrupts import INTERRUPTED, INTERRUPTED_MESSAGE, interruptible
from edgernn.version import __version__

SUMMARIES = {
    "demo": "GRU or LSTM for spoken digits? Train both, compare, export, profile.",
    "train": "Train a reference model on a reference task or on your data.",
    "export": "Turn a model into checked ONNX, TFLite and native artefacts.",
    "profile": "Measure artefacts on a device: size, latency, memory, accuracy.",
    "package": "Make what an app needs: C, web, Android, iOS.",
    "check-aar": "Do the native libraries of an AAR load on Android?",
    "run": "Hear sound as an app does: print the labels as they come.",
    "compare": "GRU or LSTM? Trainings over seeds on your data, and a verdict.",
    "search": "Find the smallest model that is accurate enough and fits a device.",
    "worker": "Train for searches of other machines, through a database.",
    "devices": "Name the boards that artefacts are measured on; check them.",
    "inspect": "Show what is in models, artefacts and folders.",
}


@click.group(
    cls=LazyGroup,
    summaries=SUMMARIES,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "EDGERNN"},
)
@click.version_option(__version__, prog_name="edgernn")
def edgernn() -> None:
    """Put GRU and LSTM models on small devices.

    Every option can also be set in the environment: EDGERNN_<COMMAND>_<OPTION>.
    """


def main() -> None:
    """Runs the command line; a deliberate error becomes one message and its exit code."""
    if "_EDGERNN_COMPLETE" in os.environ:  # a shell asks; click calls what is registered
        importlib.import_module("edgernn.cli.bash_completion")
    try:
        with interruptible():
            status = edgernn.main(prog_name="edgernn", standalone_mode=False)
    except EdgernnError as error:
        print(f"edgernn: {error}", file=sys.stderr)
        sys.exit(error.code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print(INTERRUPTED_MESSAGE, file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)
