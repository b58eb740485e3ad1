"""A passphrase in the environment is read once, and is not there for what the kernel starts."""

from __future__ import annotations

import os

import pytest

from agentos.home import process


def test_the_passphrase_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOS_PASSPHRASE", "correct horse")
    assert process.secret(None) == "correct horse"
    assert "AGENTOS_PASSPHRASE" not in os.environ
