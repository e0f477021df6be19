"""What each volume of an encoded scan is: the row of the encoding matrix that it was labelled by, and its block.

The row comes from the counter ``set`` where the header declares as many states as the matrix has rows; else volumes
that are not M0 are counted, rows in order.
"""

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Notice, ScanHeader, VolumeKey, VolumeLabel
from perfline.recon.parameters import VolumeType

__all__ = ["EncodedOrder"]


class EncodedOrder:
    """Describes the volumes of a time- or vessel-encoded scan by their counters.

    Parameters
    ----------
    header : ScanHeader
        With ``asl.encoding_matrix``.

    Raises
    ------
    ScanHeaderError
        No matrix, several delays at once, or ``encodingLimits.set`` has states that are neither one nor as many as the
        matrix has rows; or the aslcontext has another number of volumes than whole blocks.

    Notes
    -----
    A row of ones (nothing inverted) is called control, any other label; the decoding asks for the row alone.
    """

    def __init__(self, header: ScanHeader) -> None:
        if header.asl is None or not header.asl.encoding_matrix:
            raise ScanHeaderError("EncodingMatrix: the scan declares none")
        self._limits = header.limits
        self._matrix = header.asl.encoding_matrix
        self._types = header.asl.volume_types
        self._delay = header.asl.post_labeling_delay[-1]
        self._duration = header.asl.labeling_duration[-1]
        n_rows, n_states = len(self._matrix), header.limits["set"].count
        if header.limits["phase"].count > 1:
            raise ScanHeaderError(
                f"encodingLimits.phase: expected one delay for an EncodingMatrix, got {header.limits['phase'].count}"
            )
        if n_states not in (1, n_rows):
            raise ScanHeaderError(
                f"EncodingMatrix: its {n_rows} rows are counted by idx.set, but encodingLimits.set has {n_states}"
                " states"
            )
        self._is_counted_by_set = n_states == n_rows
        n_m0 = self._types.count(VolumeType.M0SCAN)
        if (len(self._types) - n_m0) % n_rows:
            raise ScanHeaderError(
                f"aslcontext: expected whole blocks of {n_rows} cycles (EncodingMatrix) besides {n_m0} M0 volumes, got"
                f" {len(self._types) - n_m0} volumes"
            )
        self._n_m0_seen = 0

    def describe(self, key: VolumeKey, arrival: int) -> VolumeLabel:
        """Say what a volume is; to be asked once for each volume, in order of arrival.

        Parameters
        ----------
        key : VolumeKey
            Counters of the volume.
        arrival : int
            Its number in the scan, from 0; lost volumes count.

        Returns
        -------
        VolumeLabel
            ``pair`` is the block, ``cycle`` the row of the matrix; delay and duration are those of the last sub-bolus.

        Raises
        ------
        ScanHeaderError
            ``set`` is outside its limits, or more volumes came than the aslcontext has.
        """
        if self._is_m0(key, arrival):
            self._n_m0_seen += 1
            return VolumeLabel(VolumeType.M0SCAN, arrival, None, None, None)
        if self._is_counted_by_set:
            cycle = key.set - self._limits["set"].minimum
            if not 0 <= cycle < len(self._matrix):
                raise ScanHeaderError(
                    f"set: expected a row of the EncodingMatrix, 0 to {len(self._matrix) - 1} ({key})"
                )
            repetition = key.repetition - self._limits["repetition"].minimum
            average = key.average - self._limits["average"].minimum
            block = average * self._limits["repetition"].count + repetition
        else:
            block, cycle = divmod(arrival - self._n_m0_seen, len(self._matrix))
        kind = VolumeType.CONTROL if all(entry == 1 for entry in self._matrix[cycle]) else VolumeType.LABEL
        return VolumeLabel(kind, arrival, block, self._delay, self._duration, cycle)

    def take_notices(self) -> list[Notice]:
        """Nothing contradicts: the counters alone tell."""
        return []

    def _is_m0(self, key: VolumeKey, arrival: int) -> bool:
        if not self._types or self._is_counted_by_set:
            return key.is_m0
        if arrival >= len(self._types):
            raise ScanHeaderError(f"aslcontext: it has {len(self._types)} volumes, but volume {arrival} came ({key})")
        return self._types[arrival] is VolumeType.M0SCAN
