"""What the documentation's language promises: short lines and short sentences."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "results" / "srcnn" / "controls.md",
    ROOT / "notebooks" / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
]
MOST_COLUMNS = 100
MOST_WORDS = 32
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def without_output(text: str) -> str:
    """The page without fenced blocks of no language, which show what a command printed.

    Those of the language "text" are what a test runs and compares whole.
    """
    return re.sub(r"^```(?:text)?\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """Prose only: paragraphs, items of lists and cells of tables; no code, headings or HTML."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n", text):
        if block.startswith(("    ", "#", "<")):
            continue
        if block.startswith("|"):
            for row in block.splitlines():
                yield from (cell.strip() for cell in row.strip("|").split("|"))
            continue
        for item in re.split(r"^\s*(?:- |\d+\. )", block, flags=re.MULTILINE):
            yield " ".join(item.split())


def printed(text: str) -> Iterator[str]:
    """What the page says that srlab prints: blocks of output, and quotes after "say", "add" or "are"."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        if not language and re.search(r"^(?:\$ |- |ONE SEED)", block, flags=re.MULTILINE):
            yield re.sub(r"^\$ .*$", "", block, flags=re.MULTILINE)
    for paragraph in paragraphs(text):
        yield from re.findall(r'\b(?:says?|adds?|are) "([^"]+)"', paragraph)


def fragments(text: str) -> Iterator[str]:
    """Pieces of a printed text that the source should have as they are: no numbers, no names."""
    for line in re.split(r"\n(?:- )?|\s{2,}", text.replace("\n  ", " ")):
        plain = re.sub(r"\S*[\d/_=`][^\s,;:.]*|\bsample (?:has )?", ",", line)
        yield from (piece.strip() for piece in re.split(r"[,;:.()]+", plain) if piece.strip())


def sentences(text: str) -> Iterator[str]:
    """A colon or a semicolon ends a sentence too; code counts as one word, a link as its text."""
    for paragraph in paragraphs(text):
        plain = re.sub(r"`[^`]*`", "X", paragraph)
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain)
        yield from re.split(r"(?<=[.!?:;])\s+", plain)


@every_page
def test_no_line_is_longer_than_a_hundred_columns_but_rows_of_tables(page: Path) -> None:
    text = without_output(page.read_text(encoding="utf-8"))
    long = [line for line in text.splitlines() if len(line) > MOST_COLUMNS and not line.startswith("|")]
    assert long == []


@every_page
def test_no_sentence_is_too_long_to_be_said_back(page: Path) -> None:
    found = list(sentences(page.read_text(encoding="utf-8")))
    assert len(found) > 10
    assert [sentence for sentence in found if len(re.findall(r"[\w'-]+", sentence)) > MOST_WORDS] == []


def strings_of(source: str) -> str:
    """The text of a Python file with strings on several lines put together."""
    return " ".join(re.sub(r'"\n\s*f?"', "", source).split())


def test_what_pages_say_that_srlab_prints_is_in_the_source() -> None:
    source = " ".join(
        strings_of(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "src").rglob("*.py"))
    )
    quoted = [
        (page.name, piece)
        for page in PAGES
        for text in printed(page.read_text(encoding="utf-8"))
        for piece in ([text] if "\n" not in text else fragments(text))
        if "\n" not in text or len(piece.split()) >= 4
    ]
    assert len(quoted) > 15
    assert [found for found in quoted if found[1] not in source] == []
