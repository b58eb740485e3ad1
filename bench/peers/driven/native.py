"""CPython itself, the one that the kernel runs on: no sandbox at all."""

from __future__ import annotations

from bench.peers.driven.orders import growth_ms, take


def grow(order: dict[str, object]) -> dict[str, object]:
    space: dict[str, object] = {"__name__": "work"}

    def run(source: str) -> None:
        exec(source, space)  # noqa: S102 (a program of the bench)

    return growth_ms(run, order)


if __name__ == "__main__":
    take({"grow": grow})
