# /// script
# [tool.agentos]
# name = "texts"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Builds a text from pieces, splits and joins it."""


def main(input: int) -> int:
    length = 0
    for _ in range(input):
        lines = [f"{number}: {number * 7} of {number % 13}".upper().replace(" OF ", " / ") for number in range(1000)]
        text = "\n".join(lines)
        length += len(text) + sum(len(line.split("/")[0].strip()) for line in text.split("\n"))
    return length
