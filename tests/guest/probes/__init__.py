"""The table of probes, by theme."""

from __future__ import annotations

from tests.guest.probe import Probe
from tests.guest.probes import (
    below,
    chance,
    clocks,
    console,
    endings,
    imports,
    opening,
    outside,
    paths,
    requests,
    tree,
    web,
)

THEMES = (below, chance, clocks, console, endings, imports, opening, outside, paths, requests, tree, web)
ALL: dict[str, Probe] = {
    f"{theme.__name__.rpartition('.')[2]}: {name}": probe for theme in THEMES for name, probe in theme.PROBES.items()
}
