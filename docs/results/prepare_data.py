"""Make the folders of pictures that the studies of PLAN.md are trained, chosen and tested on.

Run:       python docs/results/prepare_data.py OUT --t91 T91 --bsds200 BSDS200 --photos PHOTOS \
               --set5 SET5 --set14 SET14 --b100 B100

Each source is a folder of pictures. `PHOTOS` has 40 photographs whose names end in 01 to 40. The files are
copied as they are. OUT must not be there yet; it is there whole, or not at all.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

# Six of the 200 in the order of their names, evenly spaced: the 17th, 50th, 83rd, 116th, 149th and 182nd.
HELD_OUT = slice(16, None, 33)
LEFT_OUT = {
    "t65": "the same pixels as t36",
    "t20": "78 x 78 pixels, too small for patches of 96 x 96",
}
VALIDATION_PHOTOS = ("37", "38", "39", "40")
NUMBERS = {"t91": 91, "bsds200": 200, "photos": 40, "set5": 5, "set14": 14, "b100": 100}
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def pictures(folder: Path, *, number: int) -> list[Path]:
    """The pictures in `folder` by name; the program ends where they are not `number`."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if len(found) != number:
        sys.exit(f"{folder} has {len(found)} pictures; {number} were expected")
    return found


def folders(sources: dict[str, Path]) -> dict[str, list[Path]]:
    """Which files belong into which of the folders."""
    found = {name: pictures(folder, number=NUMBERS[name]) for name, folder in sources.items()}
    held_out = found["bsds200"][HELD_OUT]
    photos = found["photos"]
    chosen = [path for path in photos if path.stem.endswith(VALIDATION_PHOTOS)]
    return {
        "train291": [
            path
            for path in (*found["t91"], *found["bsds200"])
            if path not in held_out and path.stem not in LEFT_OUT
        ],
        "photos36": [path for path in photos if path not in chosen],
        "validation": [*chosen, *held_out],
        "Set5": found["set5"],
        "Set14": found["set14"],
        "B100": found["b100"],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    for name in NUMBERS:
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = vars(parser.parse_args())
    out: Path = arguments.pop("out")
    if out.exists():
        sys.exit(f"{out} is there already; remove it, or name another folder")
    made = folders(arguments)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        whole = Path(temporary, "data")
        for name, files in made.items():
            (whole / name).mkdir(parents=True)
            for path in files:
                shutil.copyfile(path, whole / name / path.name)
        whole.rename(out)
    for name, files in made.items():
        sys.stdout.write(f"{out / name}: {len(files)} pictures\n")
    sys.stdout.write(f"validation: {', '.join(path.stem for path in made['validation'])}\n")


if __name__ == "__main__":
    main()
