# /// script
# [tool.agentos]
# name = "arithmetic"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Sums in a loop, whole numbers and floats."""


def main(input: int) -> list[float]:
    total, scale = 0, 1.0
    for number in range(input * 10_000):
        total = (total * 31 + number) % 1_000_003
        scale = scale * 1.000001 + 0.5 / (number + 1)
    return [total, round(scale, 6)]
