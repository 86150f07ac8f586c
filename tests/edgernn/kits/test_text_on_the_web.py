"""The kit for the web makes the tokens of Python, in Node."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edgernn import Model
from edgernn.export.native import lower
from edgernn.kits import package
from tests.edgernn.runtime.text_models import text_graph
from tests.edgernn.runtime.toolchain import tool
from tests.export.keras.texts import made_up

SCRIPT = """
import { readFileSync } from 'node:fs';
import { Model } from './kit/node.js';
const model = await Model.load();
const texts = JSON.parse(readFileSync('texts.json', 'utf8'));
const found = texts.map((text) => Array.from(model.tokenize(text)));
const scores = Array.from(model.run(model.tokenize('Good film')));
let wrong = '';
try { model.tokenize(null); } catch (error) { wrong = error.message; }
console.log(JSON.stringify({ wrong, found, scores, memory: process.memoryUsage().arrayBuffers }));
"""
WITHOUT = """
import { Model } from './kit/node.js';
const model = await Model.load();
try { model.tokenize('a'); } catch (error) { console.log(error.message); }
"""


def made(folder: Path, content: bytes) -> None:
    tool("clang"), tool("wasm-ld")
    (folder / "reviews.ernn").write_bytes(content)
    package(folder / "reviews.ernn", target="web", folder=folder / "kit")


def node(folder: Path, script: str) -> str:
    (folder / "run.mjs").write_text(script)
    command = [tool("node"), "run.mjs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_node_makes_the_tokens_of_python(tmp_path: Path) -> None:
    made(tmp_path, lower(text_graph(), metadata={"labels": '["bad", "good"]'}).content)
    texts = made_up(3000)
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    answer = json.loads(node(tmp_path, SCRIPT))
    model = Model(tmp_path / "reviews.ernn")
    assert answer["found"] == [model.tokenize(text).tolist() for text in texts]
    assert answer["scores"] == pytest.approx(model("Good film")[0].tolist(), rel=1e-5)
    assert answer["wrong"] == "tokenize takes a string"
    assert answer["memory"] < 8 << 20


@pytest.mark.long
def test_a_model_of_tokens_takes_no_text_on_the_web(tmp_path: Path) -> None:
    made(tmp_path, lower(text_graph(None), metadata={}).content)
    assert "takes no text" in node(tmp_path, WITHOUT)
