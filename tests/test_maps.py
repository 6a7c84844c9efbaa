"""The page of attention maps, from plain arrays."""

import base64
import html
import json
import re
import subprocess

import numpy as np
import pytest

from research.plots import ramps
from research.report.maps import Attended, Element, Layer, maps_page
from tests.reported import EVIL, Page
from tests.test_page import BROWSER, FLAGS

ELEMENTS = (
  Element("7"),
  Element("3", hint="position 9", prediction="4", target="4", right=True),
  Element("<b>", prediction="2", target="5", right=False),
  Element("8", prediction="0.5", target="0.25"),
  Element("0", padding=True),
)


def attended(*weights, elements=ELEMENTS):
  layers = tuple(
    Layer(f"Layer {i + 1}", f"block_{i}.mixer", one.astype(np.float32))
    for i, one in enumerate(weights)
  )
  return Attended("recall", EVIL, ("seed 0",), ("A note.",), elements, layers)


def weights(heads, count=5, keys=5):
  return np.random.default_rng(0).uniform(size=(heads, count, keys))


def canvases(page):
  return [attributes for tag, attributes in page.tags if tag == "canvas"]


def decoded(canvas):
  raw = base64.b64decode(canvas["data-weights"])
  shape = int(canvas["data-t"]), int(canvas["data-s"])
  return np.frombuffer(raw, "<f4").reshape(shape)


def told(text):
  found = re.search(r'id="told">(.*?)</script>', text, re.DOTALL)
  return json.loads(found[1])


def test_every_layer_and_head_is_there_exactly():
  made = weights(3), weights(2, keys=7)
  page = Page(maps_page(attended(*made)))
  assert page.all("h2") == ["Example", "Layer 1", "Layer 2"]
  assert [x for x in page.all("b") if x.startswith("Head")] == [
    "Head 1", "Head 2", "Head 3", "Head 1", "Head 2",
  ]  # fmt: skip
  maps = [head for layer in made for head in layer]
  for canvas, expected in zip(canvases(page), maps, strict=True):
    assert (decoded(canvas) == expected.astype(np.float32)).all()
  assert canvases(page)[4]["aria-label"] == (
    f"Layer 2, head 2: largest weight {maps[4].max():.3g}"
  )


def test_layers_of_one_head_stand_side_by_side():
  page = Page(maps_page(attended(weights(1), weights(1))))
  assert page.all("h2") == ["Example", "Maps"]
  assert [x for x in page.all("b") if x[:5] == "Layer"] == [
    "Layer 1", "Layer 2",
  ]  # fmt: skip
  assert "block_1.mixer" in page.all("span")


def test_elements_are_told_with_their_answers():
  text = maps_page(attended(weights(1)))
  items = [a.get("class") for tag, a in Page(text).tags if tag == "li"]
  assert items == ["", "scored right", "scored wrong", "scored", "padding"]
  shown = Page(text).text
  for words in ("✓ 4", "✗ 2target 5", "→ 0.5target 0.25", "A note."):
    assert words in shown
  assert [element["name"] for element in told(text)["elements"]] == [
    "0: 7",
    "1: 3 (position 9), predicted 4 ✓",
    "2: <b>, predicted 2 ✗, target 5",
    "3: 8, predicted 0.5, target 0.25",
    "4: padding",
  ]
  assert [element["mark"] for element in told(text)["elements"]] == [
    "", "✓", "✗", "→", "",
  ]  # fmt: skip


def test_the_page_stands_alone_and_escapes_texts():
  evil = "</script><script>alert(1)</script>"
  text = maps_page(attended(weights(1), elements=(Element(evil),) * 5))
  page = Page(text)
  assert [a.get("id") for tag, a in page.tags if tag == "script"] == [
    "told", None,
  ]  # fmt: skip
  assert evil not in text
  assert told(text)["elements"][0]["label"] == evil
  assert page.all("h1") == [EVIL]
  for tag, attributes in page.tags:
    assert tag not in ("link", "iframe", "img", "base", "object")
    assert not {"src", "srcset", "action"} & attributes.keys()
    assert attributes.get("href", "#").startswith("#")
  assert not re.search(r"@import|url\(|https?:|\bfetch\b|\bimport\b", text)


def test_the_legend_names_what_is_there():
  clean = tuple(Element("1") for _ in range(5))
  plain = Page(maps_page(attended(weights(1), elements=clean))).text
  assert "padding" not in plain.partition("Maps")[2].partition("{")[0]
  lost = weights(2)
  lost[1, 0, 0] = np.nan
  page = Page(maps_page(attended(lost)))
  assert "not a number" in page.all("span")
  assert "padding" in page.all("span")
  everything = np.full((1, 5, 5), np.nan)
  assert "largest none" in Page(maps_page(attended(everything))).text


def test_maps_of_another_length_are_refused():
  with pytest.raises(ValueError, match="allowed: .* t = 5, the elements"):
    attended(weights(1, count=4))


def crossed(**changes):
  """A target of five elements over a source of two."""
  given = {"queries": "target", "keys": "source", "spans": ((0, 2),) * 5}
  one = weights(1, keys=2).astype(np.float32)
  layer = Layer("Cross", "cross", one, **{**given, **changes})
  source = Element("x"), Element("y")
  notes = ("A note.",)
  return Attended("two", "?", (), notes, ELEMENTS, (layer,), ELEMENTS, source)


def test_a_layer_between_two_sequences():
  text = maps_page(crossed(note="42 % there"))
  page = Page(text)
  (canvas,) = canvases(page)
  assert (canvas["data-queries"], canvas["data-keys"]) == ("target", "source")
  assert json.loads(canvas["data-spans"]) == [[0, 2]] * 5
  names = [element["name"] for element in told(text)["source"]]
  assert names == ["0: x", "1: y"]
  assert page.all("h2") == ["Example", "Cross"]
  assert "true alignment" in page.all("span")
  assert "cross · 42 % there" in page.text
  unknown = Page(maps_page(crossed(spans=())))
  assert "true alignment" not in unknown.all("span")


def test_spans_of_another_length_are_refused():
  with pytest.raises(ValueError, match="are 2; allowed: 5, one for each"):
    crossed(spans=((0, 1),) * 2)


# Cell (1, 0) has the largest weight, (2, 0) the most negative, the rest 0.
SIGNED = np.zeros((2, 5, 5))
SIGNED[0, 1, 0], SIGNED[0, 2, 0] = 0.8, -0.8
SIGNED[1, 1, 0] = 0.4
LOOK = """<script>
const seen = {errors: []};
addEventListener("error", event => seen.errors.push(event.message));
addEventListener("load", () => setTimeout(() => {
  const pixel = (map, y, x) => {
    const scale = map.canvas.width / parseFloat(map.canvas.style.width);
    const at = [map.corner.x + (x + .5) * map.cell,
      map.corner.y + (y + .5) * map.cell].map(n => Math.round(n * scale));
    const pen = map.canvas.getContext("2d");
    return [...pen.getImageData(...at, 1, 1).data].slice(0, 3);
  };
  seen.cells = [[1, 0], [2, 0], [0, 1], [4, 0]].map(
    at => pixel(maps[0], ...at));
  seen.half = pixel(maps[1], 1, 0);
  own.click();
  seen.alone = pixel(maps[1], 1, 0);
  const box = maps[0].canvas.getBoundingClientRect();
  point(maps[0], {clientX: box.left + maps[0].corner.x + maps[0].cell / 2,
    clientY: box.top + maps[0].corner.y + 2.5 * maps[0].cell});
  seen.tip = tip.textContent;
  step(maps[0], {key: "ArrowUp", preventDefault() {}});
  seen.above = tip.textContent;
  const root = document.documentElement, figure = maps[0].figure;
  seen.columns = new Set(maps.map(
    m => Math.round(m.figure.getBoundingClientRect().left))).size;
  seen.inside = root.scrollWidth <= root.clientWidth;
  figure.querySelector("button").click();
  seen.share = figure.clientWidth / figure.parentElement.clientWidth;
  parent.postMessage(seen, "*");
}, 200))</script>"""


def rgb(colour):
  return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.skipif(
  BROWSER is None,
  reason="Chromium is missing (Debian: apt-get install chromium)",
)
@pytest.mark.parametrize(
  ("scheme", "width", "columns"), [("light", 1280, 2), ("dark", 390, 1)]
)
def test_the_maps_in_a_browser(tmp_path, scheme, width, columns):
  stops = {"light": ramps.LIGHT, "dark": ramps.DARK}[scheme]
  text = maps_page(attended(SIGNED)).replace("</body>", LOOK)
  (tmp_path / "page.html").write_text(text)
  file = tmp_path / "frame.html"  # A frame can be as narrow as a phone.
  file.write_text(
    f'<iframe src="page.html" style="width:{width}px;height:800px"></iframe>'
    '<pre></pre><script>onmessage = e => document.querySelector("pre")'
    '.textContent = "SEEN" + JSON.stringify(e.data) + "END"</script>'
  )
  done = subprocess.run(
    [
      BROWSER,
      *FLAGS,
      f"--user-data-dir={tmp_path / 'profile'}",
      f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
      "--window-size=1400,900",
      "--dump-dom",
      file.as_uri(),
    ],
    capture_output=True,
    text=True,
    timeout=100,
    check=True,
  )
  found = re.search(r"SEEN(\{.*?)END</pre>", done.stdout, re.DOTALL)
  assert found, done.stderr[-2000:]
  seen = json.loads(html.unescape(found[1]))
  assert seen["errors"] == []
  most, least, zero, grey = seen["cells"]
  assert most == rgb(stops["positive"][-1])
  assert least == rgb(stops["negative"][-1])
  assert zero == rgb(stops["positive"][0])
  assert grey not in (most, least, zero)
  middle = np.array(rgb(stops["positive"][4]))
  assert np.abs(middle - seen["half"]).max() <= 1
  assert seen["alone"] == most
  assert seen["tip"] == (
    "weight -0.8000\nquery 2: <b>, predicted 2 ✗, target 5\nkey 0: 7"
  )
  assert seen["above"].startswith("weight 0.8000\nquery 1: 3 ")
  assert seen["inside"] and seen["columns"] == columns
  assert seen["share"] > 0.99
