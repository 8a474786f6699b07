"""What was published of the networks compared here: numbers as data, with their source and protocol.

PSNR in dB and SSIM on Y. Only numbers that were read in the authors' own table, or that independent copies
agree on; what one copy alone says is marked so. They are of other training data and many times the steps.
"""

from collections.abc import Mapping
from typing import Literal

Mark = Literal["authors", "copies", "one copy", "recalled"]  # the last: not read anywhere for srlab
SIZES = {"set5": 5, "set14": 14, "b100": 100, "urban100": 100, "manga109": 109}

SOURCES: Mapping[str, tuple[str, Mark]] = {
    "bicubic": ("RDN's own table (Figs/PSNR_SSIM_BI.png in its repository)", "authors"),
    "SRCNN 9-5-5": ("RDN's own table (Figs/PSNR_SSIM_BI.png in its repository)", "authors"),
    "SRCNN 9-1-5": (
        "README of SelfExSR; its bicubic has 33.64 dB, so its protocol differs slightly",
        "one copy",
    ),
    "VDSR": ("tables of later papers, which agree", "copies"),
    "EDSR-baseline": ("one later table; torchSR measured the same within 0.01 dB on Set5", "one copy"),
    "EDSR": ("tables of later papers, which agree", "copies"),
    "RDN": ("RDN's own table (Figs/PSNR_SSIM_BI.png in its repository)", "authors"),
    "SRResNet": ("tables of later papers, which agree; SSIM is left out: its scale differs", "copies"),
    "SRGAN": ("tables of later papers, which agree; SSIM is left out: its scale differs", "copies"),
}

# By test set and network: (PSNR, SSIM) by scale.
NUMBERS: Mapping[str, Mapping[str, Mapping[int, tuple[float, float | None]]]] = {
    "set5": {
        "bicubic": {2: (33.66, 0.9299), 3: (30.39, 0.8682), 4: (28.42, 0.8104)},
        "SRCNN 9-5-5": {2: (36.66, 0.9542), 3: (32.75, 0.9090), 4: (30.48, 0.8628)},
        "SRCNN 9-1-5": {2: (36.28, 0.9509), 3: (32.37, 0.9025), 4: (30.08, 0.8525)},
        "VDSR": {2: (37.53, 0.9587), 3: (33.66, 0.9213), 4: (31.35, 0.8838)},
        "EDSR-baseline": {2: (37.99, 0.9604), 4: (32.09, 0.8938)},
        "EDSR": {2: (38.11, 0.9601), 3: (34.65, 0.9282), 4: (32.46, 0.8968)},
        "RDN": {2: (38.24, 0.9614), 3: (34.71, 0.9296), 4: (32.47, 0.8990)},
        "SRResNet": {4: (32.05, None)},
        "SRGAN": {4: (29.40, None)},
    },
    "set14": {
        "bicubic": {2: (30.24, 0.8688), 3: (27.55, 0.7742), 4: (26.00, 0.7027)},
        "SRCNN 9-5-5": {2: (32.45, 0.9067), 3: (29.30, 0.8215), 4: (27.50, 0.7513)},
        "VDSR": {2: (33.03, 0.9124), 3: (29.77, 0.8314), 4: (28.01, 0.7674)},
        "EDSR-baseline": {2: (33.57, 0.9175), 4: (28.58, 0.7813)},
        "EDSR": {2: (33.92, 0.9195), 3: (30.52, 0.8462), 4: (28.80, 0.7876)},
        "RDN": {2: (34.01, 0.9212), 3: (30.57, 0.8468), 4: (28.81, 0.7871)},
        "SRResNet": {4: (28.49, None)},
        "SRGAN": {4: (26.02, None)},
    },
    "b100": {
        "bicubic": {2: (29.56, 0.8431), 3: (27.21, 0.7385), 4: (25.96, 0.6675)},
        "SRCNN 9-5-5": {2: (31.36, 0.8879), 3: (28.41, 0.7863), 4: (26.90, 0.7101)},
        "VDSR": {2: (31.90, 0.8960), 3: (28.82, 0.7976), 4: (27.29, 0.7251)},
        "EDSR-baseline": {2: (32.16, 0.8994), 4: (27.57, 0.7357)},
        "EDSR": {2: (32.32, 0.9013), 3: (29.25, 0.8093), 4: (27.71, 0.7420)},
        "RDN": {2: (32.34, 0.9017), 3: (29.26, 0.8093), 4: (27.72, 0.7419)},
        "SRResNet": {4: (27.58, None)},
        "SRGAN": {4: (25.16, None)},
    },
    "urban100": {
        "bicubic": {2: (26.88, 0.8403), 3: (24.46, 0.7349), 4: (23.14, 0.6577)},
        "SRCNN 9-5-5": {2: (29.50, 0.8946), 3: (26.24, 0.7989), 4: (24.52, 0.7221)},
        "VDSR": {2: (30.76, 0.9140), 3: (27.14, 0.8279), 4: (25.18, 0.7524)},
        "EDSR-baseline": {2: (31.98, 0.9272), 4: (26.04, 0.7849)},
        "EDSR": {2: (32.93, 0.9351), 3: (28.80, 0.8653), 4: (26.64, 0.8033)},
        "RDN": {2: (32.89, 0.9353), 3: (28.80, 0.8653), 4: (26.61, 0.8028)},
    },
    "manga109": {
        "bicubic": {2: (30.80, 0.9339), 3: (26.95, 0.8556), 4: (24.89, 0.7866)},
        "SRCNN 9-5-5": {2: (35.60, 0.9663), 3: (30.48, 0.9117), 4: (27.58, 0.8555)},
        "RDN": {2: (39.18, 0.9780), 3: (34.13, 0.9484), 4: (31.00, 0.9151)},
    },
}

PROTOCOLS: Mapping[str, Literal["rgb", "luma"]] = {  # under which the numbers are met (docs/protocol.md)
    "bicubic": "luma",
    "SRCNN 9-5-5": "luma",
    "SRCNN 9-1-5": "luma",
    "VDSR": "luma",
    "EDSR-baseline": "rgb",
    "EDSR": "rgb",
    "RDN": "rgb",
    "SRResNet": "rgb",
    "SRGAN": "rgb",
}

VARIANTS: Mapping[str, str] = {  # whose network is the published one
    "bicubic": "bicubic",
    "SRCNN 9-5-5": "srcnn/paper_955",
    "SRCNN 9-1-5": "srcnn/paper_915",
    "VDSR": "vdsr/paper",
    "EDSR-baseline": "edsr/baseline",
    "EDSR": "edsr/paper",
    "RDN": "rdn/paper",
    "SRResNet": "srresnet/paper",
}

# Costs are those of tables: of SRCNN and VDSR seen in one, of the others as they are remembered.
COSTS_FROM: Mapping[str, tuple[str, Mark]] = {
    network: ("one later table", "one copy")
    if network in ("SRCNN 9-5-5", "VDSR")
    else ("remembered, not read for srlab: check it before you rely on it", "recalled")
    for network in VARIANTS
}

# As tables write the number of parameters, what that is, how far rounding or cutting may be off, the scale.
PARAMETERS: Mapping[str, tuple[str, float, float, int]] = {
    "SRCNN 9-5-5": ("57K", 57e3, 1e3, 2),
    "VDSR": ("665K", 665e3, 1e3, 2),
    "EDSR-baseline": ("1.5M", 1.5e6, 0.1e6, 4),
    "EDSR": ("43M", 43e6, 1e6, 4),
    "RDN": ("22M", 22e6, 1e6, 2),
    "SRResNet": ("1.5M", 1.5e6, 0.1e6, 4),
}

# In G for an output of 1280 x 720, by scale.
MULTIPLY_ADDS: Mapping[str, Mapping[int, float]] = {
    "SRCNN 9-5-5": {2: 52.7},
    "VDSR": {2: 612.6},
    "EDSR-baseline": {2: 316.3, 3: 160.2, 4: 114.0},
    "EDSR": {2: 9387.0},
    "RDN": {2: 5098.0},
}
