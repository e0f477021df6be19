"""How a scan was acquired and quantified, as a paragraph for the methods of a paper: only what is known of it.

What should be told, and in which words: Suzuki et al. 2024, the ASL lexicon and reporting recommendations of OSIPI.
What nobody declared is said to be not reported; what was assumed is called assumed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from perfline.gadgets.report.scan_folder import TERRITORIES, FileKind, ScanFolder
from perfline.gadgets.report.scan_maps import ScanMaps
from perfline.gadgets.report.wording import UNKNOWN, number_text, value_text
from perfline.gadgets.writers.bids_sidecar import CBF_REFERENCE, FIT_REFERENCE, LOOK_UP_REFERENCE
from perfline.recon.asl.cbf import total_labeling_efficiency

__all__ = ["MethodsText", "methods_text"]

_LEXICON: Final = (
    "Suzuki Y et al. 2024, ASL lexicon and reporting recommendations: a consensus report from the ISMRM Open Science"
    " Initiative for Perfusion Imaging (OSIPI), Magn Reson Med 91:1743-1760, https://doi.org/10.1002/mrm.29815"
)
_SUPPRESSION: Final = (
    "Garcia DM, Duhamel G, Alsop DC 2005, Efficiency of inversion pulses for background suppressed arterial spin"
    " labeling, Magn Reson Med 54:366-372"
)
_KIDNEY: Final = (
    "Nery F et al. 2020, Consensus-based technical recommendations for clinical translation of renal ASL MRI,"
    " MAGMA 33:141-161"
)

_LABELING: Final = {
    "PCASL": "pseudo-continuous ASL (pCASL)",
    "CASL": "continuous ASL (CASL)",
    "PASL": "pulsed ASL (PASL)",
}

_READOUTS: Final = {"reconstruct_epi": "EPI", "reconstruct_spiral": "spiral"}
"""By the stage that reconstructed the images."""


@dataclass(frozen=True)
class MethodsText:
    """A paragraph for acquisition, one for quantification, and the references that they cite by number."""

    acquisition: str
    quantification: str
    references: tuple[str, ...]


class _References:
    """Numbers references in the order in which they are cited."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def cite(self, text: str) -> str:
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


class _Scan:
    """What is known of the scan: its parameters, then the sidecar of its series."""

    def __init__(self, folder: ScanFolder, maps: ScanMaps) -> None:
        self.summary: Mapping[str, Any] = folder.summary
        self.maps = maps
        self.folder = folder
        self._parameters = folder.summary["parameters"]
        self._series = folder.sidecar(FileKind("asl")) or folder.sidecar(FileKind("epi"))

    def value(self, name: str) -> Any:
        """Value of a parameter; None where nobody declared it."""
        entry = self._parameters.get(name)
        return self._series.get(name) if entry is None else entry["value"]

    def is_assumed(self, name: str) -> bool:
        return str(self._parameters.get(name, {}).get("origin", "")).startswith("default")

    def numbers(self, name: str) -> list[float]:
        """All numbers of a parameter."""
        value = self.value(name)
        values = value if isinstance(value, list) else [value]
        return [entry for entry in values if isinstance(entry, int | float) and not isinstance(entry, bool)]

    def said(self, name: str, unit: str = "", scale: float = 1.0) -> str:
        """Numbers of a parameter with their unit, each different one once, or that they are not reported."""
        numbers = [number_text(scale * number) for number in self.numbers(name)]
        if not numbers:
            return UNKNOWN
        distinct = list(dict.fromkeys(numbers))
        assumed = " (assumed)" if self.is_assumed(name) else ""
        return f"{_enumerated(distinct)}{f' {unit}' if unit else ''}{assumed}"

    def milliseconds(self, name: str) -> str:
        return self.said(name, "ms", 1e3)

    @property
    def labeling_type(self) -> Any:
        return self.value("ArterialSpinLabelingType")

    @property
    def stages(self) -> set[str]:
        return {stage["name"] for stage in self.summary.get("stages", ()) if isinstance(stage, dict)}

    @property
    def is_fitted(self) -> bool:
        return bool(self.folder.name_of(FileKind("att")))

    @property
    def is_looked_up(self) -> bool:
        """Not all delays came, and what did was not fitted."""
        sidecar = self.folder.sidecar(FileKind(self.maps.flow_name.lower()))
        return sidecar.get("Reference") == LOOK_UP_REFERENCE


def methods_text(folder: ScanFolder, maps: ScanMaps) -> MethodsText:
    """Write the methods of a scan.

    Parameters
    ----------
    folder : ScanFolder
    maps : ScanMaps
        Of the same folder.

    Returns
    -------
    MethodsText

    Raises
    ------
    ConfigurationError
        A sidecar in the folder is broken.

    References
    ----------
    Suzuki et al. 2024, Magn Reson Med 91:1743, tables of recommended parameters.
    """
    scan, cited = _Scan(folder, maps), _References()
    if scan.labeling_type is None:
        return MethodsText(" ".join(_plain_acquisition(scan)), " ".join(_reconstruction(scan)), ())
    acquisition = " ".join(_acquisition(scan, cited))
    quantification = " ".join([*_reconstruction(scan), *_perfusion(scan), *_quantification(scan, cited)])
    return MethodsText(acquisition, quantification, tuple(cited.texts))


def _plain_acquisition(scan: _Scan) -> Iterator[str]:
    yield (
        f"Images were acquired at {scan.said('MagneticFieldStrength', 'T')} (manufacturer, model and receive coil:"
        f" {UNKNOWN})."
    )
    yield f"Labeling: {UNKNOWN}."
    yield _readout(scan)


def _acquisition(scan: _Scan, cited: _References) -> Iterator[str]:
    scanner = _first_known(scan, "Manufacturer", "ManufacturersModelName", "ReceiveCoilName")
    yield (
        f"ASL images were acquired at {scan.said('MagneticFieldStrength', 'T')} ({scanner}) using {_scheme(scan)}"
        f" {_LABELING.get(str(scan.labeling_type), str(scan.labeling_type))} with {_timing(scan)}."
    )
    yield _label_position(scan)
    yield from (_suppression(scan), _crushing(scan), _readout(scan), _amount(scan), _m0(scan))
    yield f"Terms are those of the ASL lexicon {cited.cite(_LEXICON)}."


def _first_known(scan: _Scan, *names: str) -> str:
    """Maker and model as far as the sidecar tells them."""
    words = ("manufacturer", "model", "receive coil")
    known = [str(scan.value(name)) for name in names if scan.value(name) is not None]
    unknown = [word for word, name in zip(words, names, strict=True) if scan.value(name) is None]
    parts = [*known, *([f"{_enumerated(unknown)}: {UNKNOWN}"] if unknown else [])]
    return "; ".join(parts)


def _scheme(scan: _Scan) -> str:
    """How many delays, and how they are encoded."""
    if scan.folder.name_of(TERRITORIES):
        return "vessel-encoded"
    matrix = scan.value("EncodingMatrix")
    if isinstance(matrix, list) and matrix:
        # each sub-bolus has a duration of its own, and the first column is the static tissue
        is_timed = 1 < len(matrix[0]) - 1 == len(scan.numbers("LabelingDuration"))
        return f"{'time-' if is_timed else ''}encoded ({value_text(matrix)})"
    word = "TI" if scan.labeling_type == "PASL" else "PLD"
    return f"multi-{word}" if _has_several(scan, "PostLabelingDelay") else f"single-{word}"


def _timing(scan: _Scan) -> str:
    is_2d = scan.value("MRAcquisitionType") == "2D" and len(set(scan.numbers("SliceTiming"))) > 1
    where = " to the excitation of the first slice" if is_2d else ""
    delay = f"{scan.milliseconds('PostLabelingDelay')}{where}"
    if scan.labeling_type != "PASL":
        kind = _known_text(scan, "PCASLType", "{} labeling, ") if scan.labeling_type == "PCASL" else ""
        duration = "labeling durations" if _has_several(scan, "LabelingDuration") else "a labeling duration"
        pld = "PLDs" if _has_several(scan, "PostLabelingDelay") else "a PLD"
        return f"{kind}{duration} of {scan.milliseconds('LabelingDuration')} and {pld} of {delay}"
    technique = scan.value("BolusCutOffTechnique")
    kind = scan.value("PASLType")
    return (
        f"the labeling scheme {kind if kind is not None else UNKNOWN},"
        f" {'inversion times' if _has_several(scan, 'PostLabelingDelay') else 'an inversion time'} (TI) of {delay}, and"
        f" a bolus cut-off ({technique if technique is not None else f'technique {UNKNOWN}'}) at TI1 ="
        f" {scan.milliseconds('BolusCutOffDelayTime')}"
    )


def _has_several(scan: _Scan, name: str) -> bool:
    """Whether a time has several values; that of M0 volumes is 0, and none."""
    return len(set(scan.numbers(name)) - {0}) > 1


def _label_position(scan: _Scan) -> str:
    name = "slab" if scan.labeling_type == "PASL" else "plane"
    place = scan.value("LabelingLocationDescription")
    distance = scan.numbers("LabelingDistance")
    known = [] if place is None else [str(place)]
    known += [f"{number_text(distance[0])} mm from the centre of the imaging volume"] if distance else []
    thickness = scan.said("LabelingSlabThickness", "mm")
    slab = f" Labeling slab thickness: {thickness}." if name == "slab" else ""
    return f"Labeling {name}: {', '.join(known) or f'position {UNKNOWN}'}.{slab}"


def _suppression(scan: _Scan) -> str:
    is_on = scan.value("BackgroundSuppression")
    n_pulses = scan.numbers("BackgroundSuppressionNumberPulses")
    if is_on is None and (not n_pulses or scan.is_assumed("BackgroundSuppressionNumberPulses")):
        return f"Background suppression: {UNKNOWN} (quantified as without)."
    if is_on is False or (n_pulses and n_pulses[0] == 0):
        return "No background suppression was applied."
    times = scan.milliseconds("BackgroundSuppressionPulseTime")
    return (
        f"Background suppression was applied with {scan.said('BackgroundSuppressionNumberPulses')} inversion pulses"
        f" (times after the start of labeling: {times})."
    )


def _crushing(scan: _Scan) -> str:
    is_on = scan.value("VascularCrushing")
    if is_on is None:
        return f"Vascular crushing: {UNKNOWN}."
    if not is_on:
        return "No vascular crushing was applied."
    return f"Vascular crushing was applied (Venc {scan.said('VascularCrushingVENC', 'cm/s')})."


def _readout(scan: _Scan) -> str:
    kind = next((name for stage, name in _READOUTS.items() if stage in scan.stages), None)
    kind = kind or scan.value("PulseSequenceType") or f"type {UNKNOWN}"
    dimension = scan.value("MRAcquisitionType") or f"2D or 3D {UNKNOWN},"
    train = ", Look-Locker" if scan.value("LookLocker") else ""
    parts = [
        f"TE {scan.milliseconds('EchoTime')}",
        f"TR {scan.milliseconds('RepetitionTime')}",
        f"flip angle {scan.said('FlipAngle', 'deg')}",
        f"acquired voxel size {_sizes(scan.value('AcquisitionVoxelSize'))}",
    ]
    if scan.maps.geometry is not None and scan.maps.rows:
        n_slices, n_y, n_x = scan.maps.rows[0].volume.shape
        parts.append(f"image matrix {n_x} x {n_y}, {n_slices} slices")
    steps = scan.numbers("SliceTiming")
    if len(set(steps)) > 1:
        parts.append(f"slices excited within {number_text(1e3 * (max(steps) - min(steps)))} ms")
    parts.append(f"segments and parallel imaging {UNKNOWN}")
    return f"The readout was {dimension} {kind}{train} ({', '.join(parts)})."


def _amount(scan: _Scan) -> str:
    """Volumes and pairs; the pairs of an encoded scan are told as its volumes."""
    lost = scan.summary.get("n_pairs_rejected", 0)
    used = scan.summary.get("n_pairs", 0)
    context = scan.value("aslcontext")
    if scan.value("EncodingMatrix") and isinstance(context, list):
        n_encoded = sum(kind != "m0scan" for kind in context)
        return f"{n_encoded} encoded volumes were declared; {used} decoded differences were used, {lost} left out."
    pairs = scan.said("TotalAcquiredPairs")
    return f"Control-label pairs: {pairs if pairs == UNKNOWN else f'{pairs} acquired'}, {used} used, {lost} rejected."


def _m0(scan: _Scan) -> str:
    kind = scan.value("M0Type")
    time = f"TR {scan.milliseconds('M0RepetitionTime')}"
    if kind == "Included":
        text = f"An M0 image was acquired within the series ({time})"
    elif kind == "Separate":
        text = f"An M0 image was acquired in a scan of its own ({time})"
    elif kind == "Estimate":
        return f"One value, {scan.said('M0Estimate')}, served as M0 of all voxels."
    elif kind == "Absent":
        return "No M0 image was acquired."
    else:
        return f"M0: {UNKNOWN}."
    factor = scan.folder.sidecar(FileKind("m0scan", "corrected")).get("RecoveryCorrectionFactor")
    if factor is None:
        return f"{text}; its correction for incomplete recovery: {UNKNOWN}."
    if factor == 1:
        return f"{text} and not corrected for incomplete recovery."
    angle = scan.numbers("M0FlipAngle")[:1]
    excitation = f", excitation by {number_text(angle[0])} deg" if angle and angle[0] != 90 else ""
    return (
        f"{text} and multiplied by {number_text(factor)} for incomplete recovery (T1 of tissue"
        f" {scan.milliseconds('TissueT1')}{excitation})."
    )


def _reconstruction(scan: _Scan) -> Iterator[str]:
    stages = scan.stages & set(_READOUTS)
    settings = scan.summary["settings"]
    software = scan.summary["software"] or f"software {UNKNOWN}"
    if not stages:
        yield f"Images were taken as they came and processed with {software}."
        return
    ghost = settings.get("ghost_correction")
    corrected = f", N/2 ghost correction {ghost}" if "reconstruct_epi" in stages and ghost else ""
    coils = str(settings.get("coil_combination", UNKNOWN)).replace("_", " ")
    yield f"Images were reconstructed from raw data with {software} (coil combination {coils}{corrected})."


def _perfusion(scan: _Scan) -> Iterator[str]:
    settings = scan.summary["settings"]
    domain, order = settings.get("subtraction_domain", UNKNOWN), settings.get("subtraction_order", UNKNOWN)
    if scan.value("EncodingMatrix"):
        yield f"Perfusion-weighted images were decoded by the inverse of the encoding matrix ({domain} images)."
    else:
        yield f"Control and label were subtracted {order} ({domain} images) and averaged ({_mean_word(settings)} mean)."
    yield "No motion correction was applied."
    if settings.get("pair_rejection") == "outliers":
        yield (
            "Pairs whose mean difference over the head lay more than"
            f" {number_text(settings.get('rejection_limit'))} robust standard deviations from the median were left out."
        )


def _mean_word(settings: Mapping[str, Any]) -> str:
    return str(settings.get("pair_mean", UNKNOWN))


def _quantification(scan: _Scan, cited: _References) -> Iterator[str]:
    maps = scan.maps
    if maps.flow is None:
        yield "Blood flow was not quantified."
        return
    name = maps.flow_name
    if scan.is_looked_up:
        yield (
            f"Not all delays were acquired: {name} and arterial transit time (ATT) were looked up from the"
            f" signal-weighted delay of the others {cited.cite(LOOK_UP_REFERENCE)}, without standard errors."
        )
    elif scan.is_fitted:
        yield from _fit(scan, cited)
    else:
        yield from _one_delay(scan, cited, name)
    if scan.value("Organ") == "kidney":
        yield f"Constants of the kidney follow {cited.cite(_KIDNEY)}."
    yield from _constants(scan, cited)
    if maps.is_relative:
        yield "Without M0 the values are relative, in arbitrary units."
    if not scan.is_looked_up:
        source = "pairs and the fit" if scan.is_fitted else "pairs"
        yield f"The standard error of {name} is from the scatter of the {source}."


def _one_delay(scan: _Scan, cited: _References, name: str) -> Iterator[str]:
    sidecar = scan.folder.sidecar(FileKind(name.lower()))
    if "TransitTimeMap" in sidecar:
        yield (
            f"{name} was quantified in each voxel with the general kinetic model {cited.cite(FIT_REFERENCE)} (T1 of"
            f" tissue {scan.milliseconds('GreyMatterT1')}), at the arterial transit time that a given map has there."
        )
        return
    formula = sidecar.get("Formula")
    slices = ", with the excitation time of each slice in its delay" if len(scan.numbers("SliceTiming")) > 1 else ""
    yield (
        f"{name} was quantified in each voxel with the single-compartment model of the consensus recommendations"
        f" {cited.cite(CBF_REFERENCE)}: {name} = {formula if formula is not None else UNKNOWN}{slices}."
    )
    if scan.value("BolusCutOffTechnique") == "QUIPSS":
        yield "For QUIPSS the duration of the bolus is TI - TI1 in the place of TI1."


def _fit(scan: _Scan, cited: _References) -> Iterator[str]:
    settings = scan.summary["settings"]
    arterial = ", arterial blood volume" if scan.folder.name_of(FileKind("cbv", "arterial")) else ""
    yield (
        f"{scan.maps.flow_name}{arterial} and arterial transit time (ATT) were fitted together in each voxel, by least"
        f" squares over all delays, to the general kinetic model {cited.cite(FIT_REFERENCE)} (T1 of tissue"
        f" {scan.milliseconds('GreyMatterT1')})."
    )
    if settings.get("transit_time_difference"):
        step = number_text(1e3 * settings["transit_time_difference"])
        yield f"The ATT was smoothed by a prior on the difference of neighbouring voxels ({step} ms)."
    if settings.get("transit_time_prior"):
        mean, spread = (number_text(1e3 * settings[key]) for key in ("transit_time_prior", "transit_time_prior_sd"))
        yield f"The ATT had a normal prior of {mean} ms, standard deviation {spread} ms."


def _constants(scan: _Scan, cited: _References) -> Iterator[str]:
    efficiency = scan.numbers("LabelingEfficiency")
    # a number of pulses beside "no suppression" counts for nothing in the quantification either
    is_off = scan.value("BackgroundSuppression") is False
    pulses = [] if is_off else scan.numbers("BackgroundSuppressionNumberPulses")
    alpha = f"labeling efficiency alpha = {scan.said('LabelingEfficiency')}"
    if efficiency and 0 < efficiency[0] <= 1 and pulses and pulses[0] > 0:
        per_pulse = scan.numbers("BackgroundSuppressionEfficiency")[:1]
        total = total_labeling_efficiency(efficiency[0], int(pulses[0]), *per_pulse)
        alpha += (
            f", {number_text(total, 3)} with the loss in {int(pulses[0])} background suppression pulses"
            f" {cited.cite(_SUPPRESSION)}"
        )
    yield (
        f"Constants: blood-tissue partition coefficient lambda = {scan.said('PartitionCoefficient', 'mL/g')}, T1 of"
        f" arterial blood T1b = {scan.milliseconds('BloodT1')}, {alpha}."
    )


def _known_text(scan: _Scan, name: str, pattern: str) -> str:
    value = scan.value(name)
    return "" if value is None else pattern.format(value)


def _sizes(value: object) -> str:
    if not isinstance(value, list) or not value:
        return UNKNOWN
    return f"{' x '.join(number_text(size) for size in value)} mm"


def _enumerated(words: Sequence[str]) -> str:
    return " and ".join(", ".join(words).rsplit(", ", 1)) if len(words) > 1 else "".join(words)
