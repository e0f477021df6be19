"""Numbers, names and lists as people read them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from perfline.gadgets.writers.flow_words import words_for
from perfline.gadgets.writers.summary_text import FIGURE_NAMES

__all__ = ["UNKNOWN", "counted", "delays_text", "figure_words", "number_text", "parameter_name", "value_text"]

UNKNOWN: Final = "not reported"

_LONGEST_LIST: Final = 6
_LONGEST_VALUE: Final = 200
_LONGEST_NAME: Final = 80
_LARGEST_IN_FULL: Final = 1e7

_PARAMETER_NAMES: Final[Mapping[str, str]] = {
    "ArterialSpinLabelingType": "ASL labeling type",
    "BackgroundSuppression": "Background suppression",
    "BackgroundSuppressionEfficiency": "Label left by each background suppression pulse",
    "BackgroundSuppressionNumberPulses": "Background suppression pulses",
    "BloodT1": "T1 of arterial blood",
    "BolusCutOffDelayTime": "Bolus cut-off delay time (TI1)",
    "BolusCutOffFlag": "Bolus cut-off",
    "BolusCutOffTechnique": "Bolus cut-off technique",
    "EchoTime": "Echo time (TE)",
    "EncodingMatrix": "Label encoding",
    "FlipAngle": "Flip angle",
    "GreyMatterT1": "T1 of perfused tissue",
    "Haematocrit": "Haematocrit",
    "LabelingDuration": "Labeling duration",
    "LabelingEfficiency": "Labeling efficiency",
    "LookLocker": "Look-Locker readout",
    "M0Estimate": "M0, one value",
    "M0FlipAngle": "Flip angle of M0, for its recovery",
    "M0RepetitionTime": "Repetition time of M0",
    "M0Type": "M0",
    "MRAcquisitionType": "Readout",
    "MagneticFieldStrength": "Magnetic field strength",
    "Organ": "Organ",
    "PartitionCoefficient": "Blood-tissue partition coefficient",
    "PostLabelingDelay": "Post-labeling delay (PLD)",
    "RepetitionTime": "Repetition time (TR)",
    "RepetitionTimePreparation": "Repetition time of each volume",
    "SliceEncodingDirection": "Direction of slices",
    "SliceTiming": "Slice timing",
    "TissueT1": "T1 of tissue, for M0",
    "VascularCrushing": "Vascular crushing",
    "VascularCrushingVENC": "Vascular crushing velocity (Venc)",
    "aslcontext": "Volumes",
    "aslcontext_cycle": "Cycle of volumes",
}
"""In the words of the ASL lexicon (Suzuki et al. 2024) where it has one."""

_PERCENT: Final = frozenset(
    {
        "ghost_level",
        "negative_share",
        "negative_share_grey_matter",
        "spatial_variation",
        "spatial_variation_grey_matter",
    }
)
"""Figures that are shares."""

_FLOWS: Final = frozenset({"mean_cbf", "mean_cbf_voxel_standard_error", "mean_grey_matter", "mean_white_matter"})


def number_text(value: object, digits: int = 4) -> str:
    """Write a number, ``n/a`` for what is none; a count stays whole.

    Examples
    --------
    >>> number_text(28.811348), number_text(17), number_text(None), number_text(float("nan"))
    ('28.81', '17', 'n/a', 'n/a')
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "n/a"
    if isinstance(value, int):
        return str(value)
    # in full, as long as that is readable
    return f"{value:.0f}" if 10**digits <= abs(value) < _LARGEST_IN_FULL else f"{value:.{digits}g}"


def value_text(value: object) -> str:
    """Write the value of a parameter; runs of a long list are told by their length.

    Examples
    --------
    >>> value_text([8.0, 4.2, 4.2, 4.2, 4.2, 4.2, 4.2]), value_text(True), value_text([[1, 1], [1, -1]])
    ('8, 4.2 (6 times)', 'yes', '2 x 2 matrix')
    >>> value_text(["m0scan", "control", "label", "control", "label"])
    '1 m0scan, 2 control, 2 label'
    """
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return _list_text(value)
    text = str(value) if not isinstance(value, int | float) else number_text(value, 6)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def parameter_name(name: str, labeling_type: object = None) -> str:
    """Name of a parameter in words; what has none keeps its own."""
    if name == "PostLabelingDelay" and labeling_type == "PASL":
        return "Inversion time (TI)"
    return _PARAMETER_NAMES.get(name, name)


def figure_words(
    name: str, value: object, flow_name: str, unit_of_flow: str, what: str = "pairs"
) -> tuple[str, str, str]:
    """Name, value and unit of a quality figure; ``flow_name`` is ``CBF``, or ``RBF`` of the kidney.

    ``what`` is counted: ``pairs``, ``blocks`` or ``sub-boli``.

    Examples
    --------
    >>> figure_words("ghost_level", 0.0878, "CBF", "mL/100 g/min")
    ('ghost level, mean of the volumes', '8.78', '%')
    >>> figure_words("seconds_per_pair", 8.4, "CBF", "mL/100 g/min")
    ('time for a pair', '8.4', 's')
    """
    words = words_for(FIGURE_NAMES.get(name, name.replace("_", " "))[:_LONGEST_NAME], flow_name, what)
    if name in _PERCENT:
        return words, number_text(100.0 * value if isinstance(value, float) else value), "%"
    if name in _FLOWS:
        return words, number_text(value), unit_of_flow
    words, _, unit = words.partition(" [")
    return words, number_text(value), unit.removesuffix("]")


def counted(summary: Mapping[str, Any]) -> tuple[int, str]:
    """Number of pairs that were used, or of blocks where cycles were encoded, and which.

    Examples
    --------
    >>> counted({"n_pairs": 14, "n_blocks": 2}), counted({"n_pairs": 14})
    ((2, 'blocks'), (14, 'pairs'))
    """
    n_blocks = summary.get("n_blocks")
    return (n_blocks, "blocks") if isinstance(n_blocks, int) else (summary.get("n_pairs", 0), "pairs")


def _list_text(values: Sequence[Any]) -> str:
    if values and all(isinstance(row, list | tuple) for row in values):
        return f"{len(values)} x {len(values[0])} matrix"
    texts = [value_text(value) for value in values]
    if texts and all(isinstance(value, str) for value in values):
        return ", ".join(f"{n} {text}" for text, n in Counter(texts).items())
    if len(texts) > _LONGEST_LIST:
        runs = [(text, len(list(run))) for text, run in groupby(texts)]
        texts = [text if n == 1 else f"{text} ({n} times)" for text, n in runs]
    if len(texts) > 2 * _LONGEST_LIST:
        return f"{', '.join(texts[:_LONGEST_LIST])}, … {texts[-1]} ({len(values)} values)"
    return ", ".join(texts)


def delays_text(delays: Sequence[float], labeling_type: str | None) -> str:
    """Post-labelling delays, or inversion times of PASL, in few words; each counts once.

    Examples
    --------
    >>> delays_text([1.8], "PCASL"), delays_text([0.4, 1.0, 0.4, 1.6], "PASL")
    ('PLD 1.8 s', '3 TIs, 0.4 to 1.6 s')
    """
    word = "TI" if labeling_type == "PASL" else "PLD"
    times = sorted(set(delays))
    if not times:
        return ""
    return f"{word} {times[0]:g} s" if len(times) == 1 else f"{len(times)} {word}s, {times[0]:g} to {times[-1]:g} s"
