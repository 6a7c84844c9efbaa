"""How a page looks: in light and dark, on a desktop, a phone and paper."""

from research.plots.palette import DARK, LIGHT

_OWN = {
  "ground": ("#f6f7f9", "#0e1116"),
  "shade": ("#00000026", "#000000b0"),
  "link": ("#255796", "#7fb0f5"),
  "upheld": ("#0b6b43", "#3ecf9c"),
  "refuted": ("#a83b00", "#f08a56"),
}


_STYLE = """
*, *::before, *::after { box-sizing: border-box }
html { color-scheme: light dark; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "Liberation Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei",
  sans-serif; overflow-wrap: break-word }
main { max-width: 77rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
p, li, dd { max-width: 46rem }
a { color: var(--link) }
header { border-bottom: 1px solid var(--line); padding-bottom: 1.25rem }
.name { color: var(--soft); margin: 0; font-weight: 600 }
h1 { font-size: clamp(1.5rem, 1.1rem + 1.8vw, 2.1rem); line-height: 1.2;
  letter-spacing: -0.015em; margin: .2rem 0 .8rem; max-width: 48rem;
  text-wrap: balance }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.6rem 0 .8rem }
h3 { font-size: .95rem; margin: 1.4rem 0 .4rem }
.facts { color: var(--soft); margin: 0; font-size: .9rem; max-width: none }
nav { font-size: .9rem; margin-top: .9rem; display: flex; flex-wrap: wrap;
  gap: .2rem 1.1rem }
.loud { border: 2px solid var(--refuted); border-radius: .5rem;
  padding: .7rem 1rem; font-weight: 600; max-width: none }
.ruling { background: var(--card); border: 1px solid var(--line);
  border-left: .35rem solid var(--tone); border-radius: .5rem;
  padding: .9rem 1.1rem 1rem; margin: 0 0 .8rem; display: grid;
  grid-template-columns: minmax(0, 1fr) 17rem; gap: .3rem 2rem;
  break-inside: avoid }
.ruling p { margin: 0 0 .35rem }
.ruling .claim { font-weight: 600; margin-top: .35rem }
.ruling .detail { color: var(--soft); font-size: .9rem }
.badge { display: inline-flex; gap: .45em; align-items: center;
  border: 1.5px solid var(--tone); color: var(--tone); border-radius: 99px;
  padding: .05rem .7rem; font-size: .85rem; font-weight: 700 }
.undecided .badge { border-style: dashed }
.holds { --tone: var(--upheld) } .refuted { --tone: var(--refuted) }
.undecided { --tone: var(--soft) }
.scale { position: relative; height: 3.9rem; align-self: center;
  font-size: .75rem; color: var(--soft) }
.scale i { position: absolute; display: block }
.scale .axis { left: 0; right: 0; top: 1.2rem; height: 1px;
  background: var(--line) }
.scale .bar { top: calc(1.2rem - 2px); height: 5px; min-width: 2px;
  background: var(--tone); border-radius: 2px }
.scale .dot { top: calc(1.2rem - 5px); width: 11px; height: 11px;
  margin-left: -5px; border-radius: 50%; background: var(--tone);
  border: 2px solid var(--card) }
.scale .tick { top: .5rem; height: 1.4rem; border-left: 1px solid var(--soft) }
.scale .effect { border-left: 2px dashed var(--ink) }
.scale span { position: absolute; top: 2rem; transform: translateX(-50%);
  white-space: nowrap; line-height: 1.1 }
.scale .below { top: 2.9rem }
.scroll { overflow-x: auto; max-width: 100%;
  background: linear-gradient(to left, var(--card) 1.5rem, transparent 3rem)
    right / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--shade), transparent)
    right / .9rem 100% no-repeat, var(--card);
  border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 1rem }
.scroll:focus-visible { outline: 2px solid var(--link) }
table { border-collapse: collapse; font-size: .875rem; width: 100%;
  font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600; padding: .7rem .9rem .3rem;
  position: sticky; left: 0; max-width: calc(100vw - 4rem) }
th, td { padding: .42rem .6rem; text-align: right; white-space: nowrap;
  vertical-align: top; border-top: 1px solid var(--line) }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom;
  border-top: 0; white-space: normal; line-height: 1.25 }
tbody th { font-weight: 600 }
th:first-child { text-align: left; position: sticky; left: 0;
  background: var(--card); padding-left: .9rem }
td small { display: block; color: var(--soft); line-height: 1.35;
  white-space: pre }
[title] { cursor: help }
.figures { columns: 2 25rem; column-gap: 1rem }
figure { margin: 0 0 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem;
  padding: .8rem; break-inside: avoid }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto;
  margin: 0 auto }
figcaption { color: var(--soft); font-size: .85rem; line-height: 1.45;
  margin-top: .6rem }
.columns { display: grid; gap: 0 2.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)) }
.columns p { margin: 0 0 .6rem } .columns h3 { margin-top: 0 }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: .25rem 1.2rem; margin: 0 0 1rem }
dt { color: var(--soft) } dd { margin: 0 }
pre { background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; margin: 0 0 1rem;
  font: .85rem/1.5 ui-monospace, "SFMono-Regular", Menlo, Consolas,
  "Liberation Mono", monospace }
@media (max-width: 44rem) {
  main { padding: 1.5rem 1rem 3rem }
  .ruling { grid-template-columns: minmax(0, 1fr) }
  .scale { margin-top: .4rem; max-width: 20rem; width: 100% }
  figure { padding: .55rem }
  tbody th { white-space: normal; overflow-wrap: normal; line-height: 1.3 }
  dl { grid-template-columns: minmax(0, 1fr) } dd { margin-bottom: .4rem }
}
@media print {
  body { font-size: 10pt } main { max-width: none; padding: 0 }
  nav { display: none } .scroll { overflow: visible } table { font-size: 7pt }
  th, td { padding: .2rem .3rem }
  .figures { columns: 2 }
}
"""


def stylesheet() -> str:
  """The palette as variables, dark on dark screens alone, and the rules."""
  light = {**LIGHT, **{name: pair[0] for name, pair in _OWN.items()}}
  dark = {**DARK, **{name: pair[1] for name, pair in _OWN.items()}}

  def rule(colours: dict[str, str]) -> str:
    return ":root {" + "".join(f"--{k}:{v};" for k, v in colours.items()) + "}"

  screen = "@media screen and (prefers-color-scheme: dark)"
  return f"\n{rule(light)}\n{screen} {{ {rule(dark)} }}{_STYLE}"
