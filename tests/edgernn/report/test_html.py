"""The page that is opened offline."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from edgernn.devices.fake import FakeModel
from edgernn.report import svg
from edgernn.report.html import as_html
from edgernn.report.sentences import sentences
from edgernn.report.svg import Spread, linear_scale, log_scale, spread_plot
from edgernn.report.xml import element
from tests.edgernn.report import reports

VOID = {"meta"}
GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"


class Page(HTMLParser):
    """Texts and tags of a page; fails where tags do not nest."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return as_html(reports.measured(tmp_path_factory.mktemp("html")))


def test_the_page_holds_table_sentences_and_plots(page, tmp_path):
    read = Page(page)
    assert read.tags.count("svg") == 4
    assert read.tags.count("tr") == 1 + 3 + 2  # titles, artefacts, baselines
    for said in sentences(reports.measured(tmp_path)):
        assert said in read.texts
    assert {"98.6 %", "[97.7, 99.2]", "most frequent class"} <= set(read.texts)
    assert "gru.tflite: failed: litert crashed (SIGSEGV)" in read.texts


def test_the_page_needs_no_network_and_runs_nothing(page):
    assert "<script" not in page
    assert set(re.findall(r"https?://[^\"' <]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in page
    assert "@import" not in page


def test_names_from_files_cannot_become_markup(tmp_path):
    name = "<script>alert('x')</script>\"&"
    items = [reports.item(name, "onnx", 10, file="x.onnx", verification=name)]
    page = as_html(reports.measured(tmp_path, items=items))
    assert "<script" not in page
    assert name in Page(page).texts


def test_names_in_sentences_cannot_become_markup(tmp_path):
    names = ("<b>one</b>", "<script>two</script>")
    items = [
        reports.item(name, "onnx", size, file=f"{size}.onnx", training=None)
        for size, name in enumerate(names, start=1000)
    ]
    models = {one.file: FakeModel(hot_ms=[[1.0]]) for one in items}
    report = reports.measured(tmp_path, items=items, models=models, name="<i>desk</i>")
    page = as_html(report)
    said = sentences(report)
    assert names[0] in said[0]
    assert set(said) <= set(Page(page).texts)
    assert not {"b", "i", "script"} & set(Page(page).tags)


def test_what_a_device_says_cannot_become_markup(tmp_path):
    models = {"gru.onnx": FakeModel(before={GOVERNOR: "<b>slow</b>\n"})}
    report = reports.measured(tmp_path, items=reports.ITEMS[:1], models=models)
    page = as_html(report)
    assert "governor <b>slow</b>" in " ".join(Page(page).texts)  # of the conditions
    assert "governor is '<b>slow</b>'" in " ".join(Page(page).texts)  # of a caution
    assert "b" not in Page(page).tags


def test_the_plots_are_well_formed_and_show_every_row(page):
    *_, latency, accuracy = re.findall(r"<svg.*?</svg>", page)
    namespace = "{http://www.w3.org/2000/svg}"
    for plot, bars in ((latency, 2), (accuracy, 3)):
        root = ET.fromstring(plot)
        found = [r for r in root.iter(f"{namespace}rect") if r.get("class") == "bar"]
        assert len(found) == bars
        assert all(0 <= float(bar.attrib["x"]) <= svg.WIDTH for bar in found)
    dots = list(ET.fromstring(latency).iter(f"{namespace}circle"))
    assert len(dots) == 2 * 5  # a dot for each process


def test_a_report_without_figures_is_a_page_without_plots(tmp_path):
    page = as_html(replace(reports.measured(tmp_path), cells=()))
    assert Page(page).tags.count("svg") == 0


def test_two_devices_are_told_apart_in_the_plots(tmp_path):
    report = reports.measured(tmp_path, name="desk")
    report = reports.measured(tmp_path, name="kitchen", report=report)
    assert {"gru.onnx, desk", "gru.onnx, kitchen"} <= set(Page(as_html(report)).texts)


@pytest.mark.parametrize(
    ("values", "low", "high", "ticks"),
    [
        ([0.13, 0.45], 0.1, 0.5, [0.1, 0.2, 0.5]),
        ([1.0, 1.0], 1.0, 1.0, [1.0]),
        ([3.0, 700.0], 2.0, 1000.0, [2, 5, 10, 20, 50, 100, 200, 500, 1000]),
    ],
)
def test_a_logarithmic_scale_ends_at_round_figures(values, low, high, ticks):
    scale = log_scale(values)
    assert (scale.low, scale.high) == pytest.approx((low, high))
    assert scale.ticks() == pytest.approx(ticks)


def test_a_linear_scale_stays_within_what_is_possible():
    scale = linear_scale([90.0, 99.9], least=0.0, most=100.0)
    assert scale.high == 100.0
    assert scale.low == pytest.approx(89.01)
    assert scale.ticks() == pytest.approx([90, 95, 100])


def test_places_grow_with_figures():
    for scale in (log_scale([0.1, 10]), linear_scale([0.0, 10.0], least=0, most=10)):
        places = [scale.x(value) for value in (0.2, 1.0, 5.0)]
        assert places == sorted(places)
        assert scale.x(scale.low) == svg._LEFT


def test_one_equal_figure_is_in_the_middle():
    plot = spread_plot(
        [Spread(name="a", low=1, middle=1, high=1)], log_scale([1.0]), title="t", unit="ms"
    )
    assert ET.fromstring(plot) is not None


def test_attributes_are_escaped_and_figures_short():
    assert element("a", href='"><b>', x=1.26) == '<a href="&quot;&gt;&lt;b&gt;" x="1.3"></a>'
