"""Does attention between the patches of a picture help a small network?

Run:    srlab study examples/attention.py --steps 500

The attention is a plain layer of torch that srlab has never heard of. Your own library's `nn.Module` goes in
the same way: make it in `__init__`, and see that any height and width goes through `forward`.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from srlab import Architecture, Study, TrainingProtocol, Variant

WINDOW = 8  # LR pixels: attention sees one window at a time


@dataclass(frozen=True, kw_only=True)
class Options:
    """What varies."""

    num_features: int = 32
    num_heads: int = 4
    attention: bool = True


class WindowAttention(nn.Module):
    """[N, C, H, W] -> the same: each pixel looks at those of its window of 8 x 8."""

    def __init__(self, num_features: int, num_heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(num_features, num_heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        padded = F.pad(x, (0, -width % WINDOW, 0, -height % WINDOW))
        rows, columns = padded.shape[-2] // WINDOW, padded.shape[-1] // WINDOW
        windows = padded.view(n, c, rows, WINDOW, columns, WINDOW).permute(0, 2, 4, 3, 5, 1)
        tokens = windows.reshape(n * rows * columns, WINDOW * WINDOW, c)
        seen, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        windows = seen.view(n, rows, columns, WINDOW, WINDOW, c).permute(0, 5, 1, 3, 2, 4)
        return x + windows.reshape(n, c, rows * WINDOW, columns * WINDOW)[..., :height, :width]


class AttentionNet(nn.Module):
    """LR [N, 3, H, W] in [0, 1] -> SR [N, 3, sH, sW]."""

    def __init__(self, options: Options, *, scale: int) -> None:
        super().__init__()
        width = options.num_features
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.attention = WindowAttention(width, options.num_heads) if options.attention else nn.Identity()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.tail = nn.Sequential(nn.Conv2d(width, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, lr: Tensor) -> Tensor:
        sr: Tensor = self.tail(self.body(self.attention(self.head(lr))))
        return sr


# A window begins at a multiple of 8 pixels, so what lies in a window depends on where a tile begins. Whole
# pictures are exact; `srlab upscale` says that a picture in tiles may show seams.
network = Architecture("attention_net", Options, AttentionNet)

STUDY = Study(
    name="attention",
    scale=2,
    variants=(
        Variant(name="attention/with", network=network()),
        Variant(name="attention/without", network=network(attention=False)),
    ),
    learning_rates=(1e-3,),
    protocol=TrainingProtocol(num_steps=1_500, batch_size=8, lr_patch_size=24, schedule="cosine"),
    train=("sample",),
    validate=("sample",),
    test=("sample",),
)
