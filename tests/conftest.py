"""What the whole test suite shares."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack

import pytest

from tests.edgernn.runtime.compiled import shared_by_workers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden-words",
        type=int,
        default=200,
        metavar="N",
        help="words that the pretrained network says in each format and scheme (default: 200)",
    )
    parser.addoption(
        "--hard-models",
        default="0:400",
        metavar="START:STOP",
        help="random models of tests/zoo/hard_models that the long test compares with Keras "
        "(default: 0:400, about a quarter of an hour)",
    )
    parser.addoption(
        "--android",
        metavar="SERIAL",
        help="also run the tests for any Android device on this one (see `adb devices`)",
    )
    parser.addoption(
        "--pi",
        metavar="HOST",
        help="run the tests of tests/pi that any Raspberry Pi must pass on this one (pi@host, or "
        "a name in devices.toml), instead of an emulated one",
    )
    parser.addoption(
        "--pi-vm",
        action="store_true",
        help="run the tests of the virtual ARM computer (needs qemu-system-arm; two minutes)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # workers share the folder of who started them
        stack = ExitStack()
        stack.enter_context(shared_by_workers())
        config.add_cleanup(stack.close)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    _tell_figures(terminalreporter)
    _tell_parity(terminalreporter)


def _tell_figures(terminalreporter: pytest.TerminalReporter) -> None:
    """Sentences that tests want to be read, whether they pass or not."""
    sentences = [
        sentence
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        for name, sentence in report.user_properties
        if name == "figure"
    ]
    if sentences:
        terminalreporter.section("figures")
    for sentence in sorted(sentences):
        terminalreporter.write_line(sentence)


def _tell_parity(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how far each back end is from Keras, and what it refused."""
    worst: dict[str, tuple[float, str]] = {}
    models: dict[str, set[str]] = defaultdict(set)
    refused: dict[str, set[str]] = defaultdict(set)
    checks = 0
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, entry in report.user_properties:
                if name != "parity":
                    continue
                checks += entry["routes"]
                target, model = entry["target"], entry["model"]
                if "refused" in entry:
                    refused[target].add(model)
                else:
                    models[target].add(model)
                    worst[target] = max(worst.get(target, (-1.0, "")), (entry["error"], model))
    if not checks:
        return
    everything = set().union(*models.values(), *refused.values())
    terminalreporter.section("parity with Keras")
    terminalreporter.write_line(f"{len(everything)} models, {checks} comparisons")
    for target in sorted(models | refused):
        error, model = worst.get(target, (float("nan"), "none"))
        terminalreporter.write_line(
            f"{target}: {len(models[target])} models agree to {error:.1e} of the output's scale "
            f"(worst: {model}); {len(refused[target])} refused with a reason"
        )
