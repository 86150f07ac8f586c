"""Pages that get no microphone say why, and what to do: the sample app, the guide's, the demo."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.edgernn.kits.chromium import chromium, served
from tests.pages import TOP, blocks

#: In place of a bundler, which finds the package by its name.
IMPORTS: Final = '<script type="importmap">{"imports": {"words": "/web/index.js"}}</script>'

#: A name that is not localhost, so that the page over http is an insecure one.
ELSEWHERE: Final = "words.test"

NO_FAKE_DEVICE: Final = "--use-fake-device-for-media-stream"
NO_FAKE_ANSWER: Final = "--use-fake-ui-for-media-stream"


def of_the_example(top: Path) -> str:
    shutil.copytree(TOP / "examples" / "web", top, dirs_exist_ok=True)
    return "index.html"


def of_the_guide(top: Path) -> str:
    (block,) = (block for block in blocks("guide-web.md") if block.startswith("mkdir app\n"))
    subprocess.run(["bash", "-euc", block], cwd=top, check=True)
    shutil.copytree(top / "app", top, dirs_exist_ok=True)
    return "index.html"


def of_the_demo(_top: Path) -> str:
    return "web/demo/index.html"


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        (of_the_example, "document.getElementById('label').value"),
        (of_the_guide, "document.getElementById('label').value"),
        (of_the_demo, "document.getElementById('problem').textContent"),
    ],
    ids=["example", "guide", "demo"],
)
def test_a_page_over_http_asks_for_https_or_localhost(
    page: Callable[[Path], str], shown: str, pages: Path, tmp_path: Path
) -> None:
    shutil.copytree(pages, tmp_path / "web")
    path = page(tmp_path)
    html = (tmp_path / path).read_text()
    (tmp_path / path).write_text(html.replace("<script", f"{IMPORTS}<script", 1))
    rule = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
    with served(tmp_path) as address, chromium(tmp_path, more=(rule,)) as browser:
        elsewhere = re.sub("127.0.0.1", ELSEWHERE, address)
        browser.open(f"{elsewhere}/{path}", width=400, height=700)
        browser.wait_for("!!document.getElementById('listen')?.onclick", seconds=30)
        assert browser.value("isSecureContext") is False
        browser.value("document.getElementById('listen').click()")
        message = browser.wait_for(shown, seconds=30)
    assert "only over https or on localhost: open it there" in message


@pytest.mark.parametrize(
    ("more", "fewer", "expected"),
    [
        (("--deny-permission-prompts",), (NO_FAKE_ANSWER,), "allow it in the address bar"),
        ((), (NO_FAKE_DEVICE,), "there is no microphone: connect one"),
    ],
    ids=["denied", "none"],
)
def test_a_page_without_a_microphone_says_why(
    more: tuple[str, ...], fewer: tuple[str, ...], expected: str, pages: Path, tmp_path: Path
) -> None:
    shutil.copytree(pages, tmp_path / "web")
    script = "import { openMicrophone } from './index.js';\n"
    script += "openMicrophone().catch((error) => { document.title = String(error); });"
    (tmp_path / "web" / "test.html").write_text(f'<script type="module">{script}</script>')
    with served(tmp_path / "web") as address, chromium(tmp_path, more=more, fewer=fewer) as page:
        page.open(f"{address}/test.html", width=400, height=700)
        message = page.wait_for("document.title.includes('Error') && document.title", seconds=30)
    assert expected in message
