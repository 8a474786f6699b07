"""The package's description: README.md, made to be read away from the repository.

All other settings are in pyproject.toml. A package index shows the description without the files beside it.
So links to them and pictures get the address of the repository, where ``[project.urls]`` has one. Without an
address the words of a link stay, and pictures are left out.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def description(readme: str, repository: str | None) -> str:
    """`readme` without a relative link or picture."""

    def picture(match: re.Match[str]) -> str:
        alt, target = match.groups()
        return f"![{alt}]({repository}/raw/main/{target})" if repository else ""

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        return f"[{words}]({repository}/blob/main/{target})" if repository else words

    readme = re.sub(r"!\[([^\]]*)\]\((?!https?:)([^)]+)\)", picture, readme)
    readme = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)", link, readme)
    return re.sub(r"\n{3,}", "\n\n", readme)


def repository() -> str | None:
    """The address in ``[project.urls]``, without a slash at its end."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address: str | None = project.get("urls", {}).get("Repository")
    return address.rstrip("/") if address else None


if __name__ == "__main__":
    setup(
        long_description=description((ROOT / "README.md").read_text(encoding="utf-8"), repository()),
        long_description_content_type="text/markdown",
    )
