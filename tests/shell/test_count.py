"""How many files a pattern covers: counted as the kernel would match, bounded in entries and in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos.shell import count


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.md", "b.md", "c.txt", "deep/d.md", "deep/er/e.md", "deep/.hidden.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "link.md").symlink_to(tmp_path / "a.md")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*.md", "2 files now"),
        ("**/*.md", "5 files now"),
        ("deep/**", "3 files now"),
        ("?.txt", "1 file now"),
        ("none/**", "0 files now"),
        ("a.md", "1 file now"),
        ("gone.md", "not there now"),
        ("deep", "a folder"),
        ("link.md", "a link: refused"),
    ],
)
def test_a_pattern_is_counted_without_following_links(tree: Path, pattern: str, said: str) -> None:
    assert count.covered("files.read", [f"{tree}/{pattern}"]) == said


def test_a_file_to_be_written_is_new_or_there(tree: Path) -> None:
    assert count.covered("files.write", [f"{tree}/new.md"]) == "new file"
    assert count.covered("files.write", [f"{tree}/a.md"]) == "1 file now"


def test_counting_stops_at_its_bounds(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "MOST", 3)
    assert count.covered("files.read", [f"{tree}/**"]).endswith("+ files now")
    monkeypatch.setattr(count, "MOST", 20_000)
    monkeypatch.setattr(count, "SECONDS", -1.0)
    assert count.covered("files.read", [f"{tree}/**"]).endswith("+ files now")


def test_an_escaped_star_is_a_star(tree: Path) -> None:
    (tree / "a*.md").touch()
    assert count.covered("files.read", [f"{tree}/a\\*.md"]) == "1 file now"
    assert count.covered("files.read", [f"{tree}/b\\*.md"]) == "not there now"
