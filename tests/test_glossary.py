"""What the glossary promises: the same words in every report and on the page, in short sentences."""

import re
from pathlib import Path

import pytest

from srlab.show.report.glossary import TERMS, anchor, as_markdown

PAGE = Path(__file__).parents[1] / "docs" / "glossary.md"


def test_the_page_is_what_the_list_says() -> None:
    assert PAGE.read_text() == as_markdown()


def test_the_words_of_the_tables_are_explained() -> None:
    for word in (
        "Holm",
        "paired",
        "confounded",
        "seed",
        "learning rate",
        "shave",
        "protocol",
        "luma",
        "rank",
    ):
        assert word in TERMS


def test_terms_stand_in_the_order_of_the_alphabet_under_anchors_of_their_own() -> None:
    assert list(TERMS) == sorted(TERMS, key=str.casefold)
    assert len({anchor(term) for term in TERMS}) == len(TERMS)


@pytest.mark.parametrize("term", TERMS)
def test_sentences_are_short(term: str) -> None:
    sentences = re.split(r"(?<=[.])\s+(?=[A-Z±0-9])", TERMS[term].replace("et al.", "et al"))
    assert max(len(sentence.split()) for sentence in sentences) <= 28
