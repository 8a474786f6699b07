"""The words that reports and tables use, each explained in a few plain sentences.

One list for the report's own section and for ``docs/glossary.md``, which
``python -m srlab.show.report.glossary`` prints.
"""

import textwrap

TERMS: dict[str, str] = {
    "adversarial": (
        "An adversarial variant is trained with a discriminator, as SRGAN is. The discriminator learns to "
        "tell SR pictures from photographs, and the network learns to mislead it."
    ),
    "base": (
        "The variant that all others are compared with. It is the first of the study. The option --base of "
        "srlab report takes another."
    ),
    "batch normalization": (
        "A layer that shifts and scales its input to mean 0 and variance 1. In training it uses the "
        "numbers of the batch; in use it takes their running mean."
    ),
    "bf16": (
        "Numbers with 16 bits in place of 32 (fp32). Training is faster with them on processors that have "
        "them; AMX and AVX-512 BF16 are such. Scores are always computed in fp32."
    ),
    "bicubic": (
        "A way to resize a picture without any learning. Here it is MATLAB's imresize, bit for bit. It "
        "makes the LR pictures, and it is the row that each network should beat."
    ),
    "border": (
        "What the bicubic kernel sees beyond the edge of HR when LR is made. With a replicate border the "
        "last row or column is repeated; with a symmetric border the picture is mirrored. MATLAB's releases "
        "differ here; a PSNR changes by 0.002 dB or less."
    ),
    "checkpoint": "A file from which a training goes on after it was interrupted.",
    "confidence interval": (
        "A range such as [+0.15, +0.27] beside a difference. If the whole study were done again and "
        "again, 95 of 100 such ranges would hold the true value."
    ),
    "confounded": (
        "Two changes are confounded if they always come together. Then nobody can say which of them made "
        "the difference."
    ),
    "content loss": (
        "A distance between features that another network (VGG19) computes from SR and HR, in place of a "
        "distance between pixels."
    ),
    "dB": "Decibel, the unit of PSNR. 1 dB more means an error (mean of squares) that is 21 % smaller.",
    "DISTS": (
        "Deep image structure and texture similarity (Ding et al., 2020), a measure of perceived "
        "difference. It compares means and covariances of a trained network's features. 0 is a perfect "
        "picture; lower is better."
    ),
    "diverged": (
        "A training has diverged if its loss is no finite number any more. It has no weights, and no "
        "score; tables name it."
    ),
    "doubt": (
        "What makes an interval wide: the largest share of its variance. If it is the trainings, more seeds "
        "help; if it is the images of a test set, more images help."
    ),
    "effect": (
        "What one change brings: the mean difference over all pairs of variants that differ in this "
        "change alone."
    ),
    "equal": (
        "Two variants are equal if their difference is shown to be less than 0.1 dB. A difference that is "
        "itself shown, however small, is better or worse instead. If neither is shown, the pair is undecided."
    ),
    "family": (
        "All tests that a reader looks at together, such as all pairs of variants in one table. The more "
        "tests, the more likely one of them is wrong by chance; see Holm."
    ),
    "gain": "PSNR or SSIM of a variant minus that of bicubic.",
    "GMSD": (
        "Gradient magnitude similarity deviation (Xue et al., 2014), a measure of perceived quality. It "
        "compares edges. Lower is better, and 0 is a perfect picture."
    ),
    "Holm": (
        "A correction for many tests at once (Holm, 1979). With it, the chance that any test of a family "
        "gives a false alarm stays at 5 %. A difference can be better by itself and undecided after "
        "Holm."
    ),
    "HR, LR, SR": (
        "High resolution: the original picture. Low resolution: the same picture made smaller. Super "
        "resolution: what a network makes of LR."
    ),
    "Kendall's tau": (
        "How far two orders agree: 1 if they agree for all pairs, 0 if for half of them, less if for fewer."
    ),
    "learning rate": (
        "How large a step of training is. Each variant is trained at several rates, and the one with the "
        "best validation score is taken."
    ),
    "LPIPS": (
        "A measure of perceived difference (Zhang et al., 2018). It compares features that a trained "
        "network computes from two pictures. Lower is better."
    ),
    "luma": (
        "The brightness of a pixel, Y of YCbCr (BT.601). Published tables score Y alone. The luma "
        "protocol is for networks that work on Y."
    ),
    "multiply-adds": (
        "How many multiplications, each with an addition, a network needs for a picture of 1280 x 720. It "
        "is a measure of cost that depends on no machine."
    ),
    "p-value": (
        "How often a difference at least this large would come by chance if there were none. Below 0.05, "
        "a variant is called better or worse."
    ),
    "paired": (
        "Differences are paired if both variants saw the same batches and are scored on the same "
        "pictures. The difference is taken picture by picture, so what is hard about a picture cancels."
    ),
    "parameters": "The numbers in a network that training changes.",
    "patch": (
        "A small square that is cut from a training picture. One step of training takes a batch of them."
    ),
    "protocol": (
        "The rules by which a score is computed: colour, rounding, border. Scores of two protocols cannot "
        "be compared. rgb and luma are the two of the published tables."
    ),
    "PSNR": (
        "Peak signal-to-noise ratio in dB: how small the mean squared error is. psnr_y is of luma, "
        "psnr_rgb of all three colours. Higher is better."
    ),
    "rank": (
        "The places that a variant may have, as far as the data show. 1-3 means first, second or third. "
        "Variants that share a place are not shown to be equal."
    ),
    "run": "One training: a variant, at one learning rate, with one seed.",
    "schedule": (
        "How the learning rate changes during a training: constant, by steps, or by a cosine down to zero."
    ),
    "seed": (
        "The number that all chance in a training comes from: first weights, and which patches come when. "
        "Two seeds give two networks that differ by chance alone."
    ),
    "shave": "Pixels along each edge that are left out before scoring: as many as the scale, 2 at x2.",
    "skip": (
        "A way around layers: what goes in is added to what comes out. A residual network has one, so its "
        "layers learn only the difference."
    ),
    "SSIM": (
        "Structural similarity, from 0 to 1 (Wang et al., 2004). It compares local brightness, contrast "
        "and structure. Higher is better."
    ),
    "standard deviation": (
        "How much numbers spread around their mean. ± in a table is the standard deviation between seeds."
    ),
    "sub-pixel layer": (
        "A layer that enlarges (pixel shuffle; Shi et al., 2016): it makes many channels, then sorts them "
        "into a larger picture."
    ),
    "test, train, validation": (
        "Three sets of pictures. Networks learn from train, rates are chosen by validation, and only test "
        "is reported. No picture is in two of them."
    ),
    "transfer": (
        "A variant that starts from the trained weights of another one. Frozen parts are not trained any "
        "further."
    ),
    "variant": "One row of the comparison: a network with its options, and what it is trained for.",
    "VGG": (
        "A network that was trained to name what is in a picture. Content losses, LPIPS and DISTS compare "
        "its features."
    ),
}


def anchor(term: str) -> str:
    """The id of a term in a page: ``batch-normalization``."""
    return "".join(letter if letter.isalnum() else "-" for letter in term.lower().replace(",", ""))


def as_markdown() -> str:
    """``docs/glossary.md``."""
    lines = [
        "# Glossary",
        "",
        "Each report has these words in its last section. Written by `python -m srlab.show.report.glossary`.",
    ]
    for term, text in TERMS.items():
        lines += ["", *textwrap.wrap(f"**{term}**: {text}", width=100, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")  # noqa: T201
