# /// script
# [tool.agentos]
# name = "objects"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Objects with methods, in lists and dicts."""


class Account:
    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[int] = []

    def book(self, amount: int) -> None:
        self.entries.append(amount)

    def balance(self) -> int:
        return sum(self.entries)


def main(input: int) -> int:
    found = 0
    for _ in range(input):
        accounts = {f"a{number}": Account(f"a{number}") for number in range(50)}
        for number in range(2000):
            accounts[f"a{number % 50}"].book(number)
        found += sum(account.balance() for account in accounts.values())
    return found
