"""Where the files of a scan lie: a raw BIDS dataset, and in it the derivative dataset of perfline.

==============================================  ====================================================================
``OUT/``                                        root of the raw dataset; what BIDS has no place for lies here, too,
                                                and stands in ``.bidsignore``
``OUT/sub-01[/ses-1]/perf/NAME_asl.nii.gz``     what was measured: see `BidsTree.raw`
``OUT/derivatives/perfline/``                   root of the derivative dataset
``.../sub-01[/ses-1]/perf/NAME_cbf.nii.gz``     what was made of it: see `BidsTree.derivative`
==============================================  ====================================================================
"""

import re
from pathlib import Path
from typing import Final

from perfline.gadgets.errors import ConfigurationError

__all__ = ["DEFAULT_NAME", "BidsTree", "name_from_stem"]

DEFAULT_NAME: Final = "sub-01"
"""Name of a scan that nobody named."""

_LABEL: Final = "[A-Za-z0-9]+"
_ENTITIES: Final = {"sub": _LABEL, "ses": _LABEL, "acq": _LABEL, "rec": _LABEL, "dir": _LABEL, "run": "[0-9]+"}
"""Entities of a labelled series, in the order of BIDS; those that its ``aslcontext`` may have, too."""

_NAME: Final = re.compile(
    "(?P<sub>sub-{sub})".format(**_ENTITIES)
    + "".join(f"(?:_(?P<{key}>{key}-{label}))?" for key, label in list(_ENTITIES.items())[1:])
)
_FORM: Final = "sub-LABEL[_ses-LABEL][_acq-LABEL][_rec-LABEL][_dir-LABEL][_run-NUMBER]"

_PIPELINE: Final = "perfline"


class BidsTree:
    """Paths of one scan in the tree; nothing is made or read here.

    Parameters
    ----------
    folder : Path
        Root of the raw dataset.
    name : str
        Entities of the scan: ``sub-LABEL``, then any of ses, acq, rec, dir and run, in this order.

    Raises
    ------
    ConfigurationError
        The name is something else.

    Examples
    --------
    >>> tree = BidsTree(Path("out"), "sub-01_ses-2_run-1")
    >>> tree.raw("asl.nii.gz").as_posix()
    'out/sub-01/ses-2/perf/sub-01_ses-2_run-1_asl.nii.gz'
    >>> tree.derivative("cbf.nii.gz").as_posix()
    'out/derivatives/perfline/sub-01/ses-2/perf/sub-01_ses-2_run-1_cbf.nii.gz'
    """

    def __init__(self, folder: Path, name: str = DEFAULT_NAME) -> None:
        found = _NAME.fullmatch(name)
        if found is None:
            hint = f": for example sub-{name}" if re.fullmatch(_LABEL, name) else ""
            raise ConfigurationError(
                f"name of the files: expected {_FORM}, labels of letters and digits, got {name!r}{hint}"
            )
        self.folder = folder
        self.name = name
        self.derivatives = folder / "derivatives" / _PIPELINE
        """Root of the derivative dataset."""
        place = Path(found["sub"], found["ses"] or "", "perf")
        self.raw_folder = folder / place
        self.derivative_folder = self.derivatives / place

    def raw(self, end: str) -> Path:
        """Path of a file of the raw dataset, such as ``asl.nii.gz``."""
        return self.raw_folder / f"{self.name}_{end}"

    def derivative(self, end: str) -> Path:
        """Path of a file of the derivative dataset, such as ``desc-brain_mask.nii.gz``."""
        return self.derivative_folder / f"{self.name}_{end}"

    def uri(self, path: Path, *, from_raw: bool = False) -> str:
        """BIDS URI of a file of the tree, as a sidecar names it.

        Parameters
        ----------
        path : Path
            As `raw` or `derivative` give it.
        from_raw : bool
            For a sidecar of the raw dataset; by default of the derivative one, which calls the other dataset ``raw``
            (``DatasetLinks`` of its description).

        Examples
        --------
        >>> tree = BidsTree(Path("out"), "sub-01")
        >>> tree.uri(tree.raw("asl.nii.gz"))
        'bids:raw:sub-01/perf/sub-01_asl.nii.gz'
        >>> tree.uri(tree.raw("asl.nii.gz"), from_raw=True)
        'bids::sub-01/perf/sub-01_asl.nii.gz'
        >>> tree.uri(tree.derivative("deltam.nii.gz"))
        'bids::sub-01/perf/sub-01_deltam.nii.gz'
        """
        if path.is_relative_to(self.derivatives) and not from_raw:
            return f"bids::{path.relative_to(self.derivatives).as_posix()}"
        return f"bids:{'' if from_raw else 'raw'}:{path.relative_to(self.folder).as_posix()}"


def name_from_stem(stem: str) -> str:
    """Name of a scan by that of a file: those of its entities that a name may have; ``sub-01`` where it has no subject.

    Examples
    --------
    >>> name_from_stem("sub-07_ses-2_task-rest_run-01_asl"), name_from_stem("scan")
    ('sub-07_ses-2_run-01', 'sub-01')
    """
    found = [re.search(f"(?:^|_)({key}-{label})(?=_|$)", stem) for key, label in _ENTITIES.items()]
    if found[0] is None:
        return DEFAULT_NAME
    return "_".join(entity[1] for entity in found if entity is not None)
