"""All mutations, in the order of the rules, and the rules that there is nothing to take out for yet."""

from __future__ import annotations

from tests.sabotage.checks import (
    always,
    answers,
    backup,
    children,
    decisions,
    durable,
    events,
    fetching,
    home,
    limits,
    manifest,
    net,
    pages,
    path,
    places,
    secrets,
    servers,
    urls,
    walls,
)

_ALL = [
    *decisions.CHECKS, *answers.CHECKS, *path.CHECKS, *walls.CHECKS, *servers.CHECKS, *places.CHECKS,
    *manifest.CHECKS, *urls.CHECKS, *fetching.CHECKS, *net.CHECKS, *home.CHECKS, *limits.CHECKS, *secrets.CHECKS,
    *pages.CHECKS, *events.CHECKS, *backup.CHECKS, *durable.CHECKS, *children.CHECKS, *always.CHECKS,
]  # fmt: skip
MUTATIONS = sorted(_ALL, key=lambda each: each.rule)
LATER: dict[int, str] = {}
RULES = tuple(rule for rule in range(1, 15) if rule not in LATER)
