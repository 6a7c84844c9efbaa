import html
import json
import re
import shutil
import subprocess

import pytest

from tests.reported import EVIL, NAMES, Page, plain, strange


@pytest.fixture
def folder():
  return plain()


@pytest.fixture
def page():
  return Page((plain() / "report.html").read_text())


def test_figures_are_inside_and_beside_the_page(page, folder):
  labels = [
    attributes.get("aria-label", "")
    for tag, attributes in page.tags
    if tag == "svg"
  ]
  assert len(labels) == len(NAMES) and all("attention" in x for x in labels)
  files = {path.name for path in (folder / "figures").iterdir()}
  assert files == {f"{n}.{k}" for n in NAMES for k in ("svg", "png", "pdf")}
  written = (folder / "report.md").read_text()
  linked = re.findall(r"!\[[^\]]+\]\(figures/(\w+)\.svg\)", written)
  assert tuple(linked) == NAMES


def test_nothing_is_loaded_from_elsewhere(page, folder):
  for tag, attributes in page.tags:
    assert tag not in ("script", "link", "iframe", "img", "base", "object")
    for name in ("src", "href", "action", "data", "xlink:href"):
      target = attributes.get(name, "")
      assert "//" not in target and not target.startswith("/")
  text = (folder / "report.html").read_text()
  assert not re.search(r"@import|url\((?!#)|https?:", text)


def test_ids_are_unique_and_links_lead_somewhere(page, folder):
  ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
  assert len(ids) == len(set(ids))
  for tag, attributes in page.tags:
    target = attributes.get("href", "")
    if target.startswith("#"):
      assert target[1:] in ids
    elif tag == "a":
      assert (folder / target).exists(), target


def test_texts_are_escaped():
  page = Page((strange() / "report.html").read_text())
  assert page.all("h1") == [EVIL]
  assert not any(tag == "script" for tag, _ in page.tags)
  written = (strange() / "report.md").read_text()
  assert "<script>" not in written.replace("\\<script\\>", "")
  assert "\\`x\\|y\\` \\*safe\\*" in written


BROWSER = next(
  filter(
    None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
  ),
  None,
)
FLAGS = (
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--virtual-time-budget=10000",
)
MEASURE = """<script>addEventListener("load", () => {
  const wide = [...document.querySelectorAll("main *")].filter(
    x => !x.closest(".scroll, pre, svg") &&
      x.getBoundingClientRect().right > innerWidth + 1);
  const svg = [...document.querySelectorAll("figure svg")].map(
    x => x.getBoundingClientRect());
  const colour = x => getComputedStyle(document.querySelector(x));
  parent.postMessage({
    width: innerWidth, page: document.documentElement.scrollWidth,
    wide: wide.map(x => x.outerHTML.slice(0, 200)),
    tables: [...document.querySelectorAll(".scroll")].map(
      x => [x.clientWidth, x.scrollWidth]),
    figures: svg.map(x => [x.width, x.height]),
    columns: new Set(svg.map(x => Math.round(x.left))).size,
    ground: colour("body").backgroundColor, ink: colour("body").color,
    mark: colour('figure svg g[style*="--ink"]').fill,
  }, "*")})</script>"""


@pytest.mark.skipif(
  BROWSER is None,
  reason="Chromium is missing (Debian: apt-get install chromium)",
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(folder, tmp_path, scheme):
  seen = browse(folder, tmp_path, scheme)
  for width, one in seen.items():
    assert one["page"] <= width == one["width"]
    assert one["wide"] == []
    assert len(one["figures"]) == len(NAMES)
    assert all(280 < w < width and h > 100 for w, h in one["figures"])
    assert all(box <= width for box, _ in one["tables"])
    ground, ink, mark = (
      sum(map(int, re.findall(r"\d+", one[name])[:3]))
      for name in ("ground", "ink", "mark")
    )
    assert ground > 600 and ink < 200 or scheme == "dark"
    assert ground < 100 and ink > 600 or scheme == "light"
    assert mark == ink
  phone, desktop = seen[390], seen[1280]
  assert phone["columns"] == 1 and desktop["columns"] == 2
  assert any(inside > box for box, inside in phone["tables"])
  assert all(inside <= box for box, inside in desktop["tables"])


def browse(folder, tmp_path, scheme):
  """What a browser makes of the page, by width; frames can be narrow."""
  page = (folder / "report.html").read_text() + MEASURE
  (tmp_path / "page.html").write_text(page)
  frames = "".join(
    f'<iframe src="page.html" style="width:{width}px;height:800px;border:0">'
    "</iframe>"
    for width in (390, 1280)
  )
  (tmp_path / "frames.html").write_text(
    f"{frames}<pre></pre><script>const all = []; onmessage = e => {{"
    'all.push(e.data); document.querySelector("pre").textContent ='
    '"SEEN" + JSON.stringify(all) + "END"}</script>'
  )
  done = subprocess.run(
    [
      BROWSER,
      *FLAGS,
      f"--user-data-dir={tmp_path / 'profile'}",
      f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
      "--window-size=1400,900",
      "--dump-dom",
      (tmp_path / "frames.html").as_uri(),
    ],
    capture_output=True,
    text=True,
    timeout=100,
    check=True,
  )
  found = re.search(r"SEEN(.*?)END", done.stdout)
  assert found, done.stderr[-2000:]
  seen = json.loads(html.unescape(found[1]))
  return {one["width"]: one for one in seen}
