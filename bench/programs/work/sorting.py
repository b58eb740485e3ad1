# /// script
# [tool.agentos]
# name = "sorting"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Sorts numbers, and records by a key."""


def main(input: int) -> int:
    first = 0
    for turn in range(input):
        state, numbers = turn + 1, []
        for _ in range(2000):
            state = (state * 1103515245 + 12345) % 2147483648
            numbers.append(state)
        pairs = [(number % 97, number) for number in numbers]
        first += sorted(numbers)[1000] + sorted(pairs, key=lambda pair: (pair[0], -pair[1]))[1000][1]
    return first
