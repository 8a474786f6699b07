"""Two examples for each command. Its help ends with them, and a test parses every one."""

EXAMPLES: dict[str, tuple[str, str]] = {
    "": ("srlab study smoke", "srlab upscale photo.jpg photo-x2.png"),
    "data": ("srlab data list", "srlab data get set5"),
    "data list": ("srlab data list", "srlab data list --json"),
    "data get": ("srlab data get t91", "srlab data get set5"),
    "data add": ("srlab data add set5 ~/Downloads/Set5", "srlab data add t91 ~/Downloads/T91"),
    "networks": ("srlab networks srcnn", "srlab networks edsr/baseline --scale 2 --set num_blocks=8"),
    "study": ("srlab study smoke", "srlab study srcnn --train t91 --test set5,set14 --seeds 3"),
    "train": (
        "srlab train srcnn/residual --train t91 --test set5",
        "srlab train edsr/baseline --scale 2 --train my-photos --test set5 --steps 5000",
    ),
    "leaderboard": ("srlab leaderboard runs/srcnn", "srlab leaderboard runs/srcnn --markdown srcnn.md"),
    "compare": ("srlab compare runs/srcnn residual vanilla", "srlab compare runs/srcnn vanilla bicubic"),
    "report": ("srlab report runs/srcnn", "srlab report runs/srcnn --base residual --out srcnn.html"),
    "scores": ("srlab scores runs/srcnn", "srlab scores runs/srcnn --out srcnn-numbers"),
    "verdict": (
        "srlab verdict scores.csv",
        "srlab verdict mine.csv --metric lpips --base baseline --report mine.html",
    ),
    "pictures": ("srlab pictures runs/srcnn", "srlab pictures runs/srcnn --image photo.png"),
    "tensorboard": ("srlab tensorboard runs/srcnn", "srlab tensorboard runs/srcnn --top 3 --port 0"),
    "perceptual": ("srlab perceptual runs/srgan", "srlab perceptual runs/srgan --test set5,set14"),
    "profile": (
        "srlab profile runs/srcnn",
        "srlab profile edsr/baseline --scale 2 --size 640x480",
    ),
    "evaluate": (
        "srlab evaluate bicubic --data set5 --scale 2",
        "srlab evaluate runs/srcnn --data set14 --protocol luma",
    ),
    "reproduce": (
        "srlab reproduce bicubic-set5",
        "srlab reproduce vdsr --weights VDSR_Official.mat",
    ),
    "import": (
        "srlab import VDSR_Official.mat --scale 2 --out vdsr.safetensors",
        "srlab import net.pth --as srresnet/paper --scale 4",
    ),
    "export": (
        "srlab export runs/srcnn srcnn.onnx",
        "srlab export vdsr.safetensors vdsr.pt2",
    ),
    "models": ("srlab models", "srlab models --verify"),
    "upscale": (
        "srlab upscale photo.jpg",
        "srlab upscale a.jpg b.png large/ --format jpg --quality 90",
    ),
    "publish": (
        "srlab publish runs/srcnn --to site",
        "srlab publish runs/srcnn runs/edsr --to site --licence CC-BY-4.0",
    ),
    "serve": ("srlab serve", "srlab serve runs/srcnn runs/edsr --port 0"),
}


def as_epilog(command: str) -> str:
    """The end of a command's help; empty for a command without examples."""
    examples = EXAMPLES.get(command, ())
    return "\n\n".join(("Examples:", *examples)) if examples else ""
