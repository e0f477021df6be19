"""A scan while it runs: what leaves when, what a loss costs, and what the settings change."""

import select
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

import numpy as np
import pytest
from end_to_end.hosts import serving
from end_to_end.scans import NOISY, PLAIN, KeepingSink, Scan, changed, head_of, run, run_messages, simulated

from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.layout import AcquisitionFlag
from perfline.gadgets.mrd.messages import Acquisition, Close, ConfigName, HeaderXml, Image, Text
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, Volume, VolumeKey

SCAN = simulated(PLAIN)
N_OF_VOLUME = PLAIN.n_slices * (PLAIN.n_navigators + PLAIN.matrix_y)
IS_NAVIGATOR = np.uint64(AcquisitionFlag.PHASECORR_DATA.mask)
IS_M0 = np.uint64(AcquisitionFlag.USER1.mask)


# what leaves when


@dataclass
class Scanner:
    """A client that sends what it is told to, and looks at what comes back."""

    connection: socket.socket
    reader: MessageReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = MessageReader(self.connection.recv_into)

    def send(self, *messages) -> None:
        self.connection.sendall(b"".join(map(encode, messages)))

    def images(self, n: int) -> list[Image]:
        """Wait for so many images; texts are passed over. The connection's timeout ends a wait in vain."""
        found = []
        while len(found) < n:
            message = self.reader.read()
            assert isinstance(message, Image | Text), message
            if isinstance(message, Image):
                found.append(message)
        return found

    def is_quiet(self) -> bool:
        """Whether nothing arrives for a while."""
        ready, _, _ = select.select([self.connection], [], [], 0.1)
        return not ready


@contextmanager
def scanner(scan: Scan, chain: str = "pcasl_epi", **options):
    with (
        serving(**options) as (server, summaries),
        socket.create_connection(server.address, timeout=20) as connection,
    ):
        client = Scanner(connection)
        client.send(ConfigName(chain), HeaderXml(scan.header))
        yield client, summaries


def names(images: list[Image]) -> list[str]:
    return [str(one.meta["ImageComment"]).split(",")[0] for one in images[:: PLAIN.n_slices]]


def test_volume_leaves_before_the_next_begins():
    n = PLAIN.n_slices
    blocks = [SCAN.acquisitions[start : start + N_OF_VOLUME] for start in range(0, 7 * N_OF_VOLUME, N_OF_VOLUME)]
    with scanner(SCAN) as (client, summaries):
        client.send(*blocks[0][:-1])
        # the text is about the missing noise scan
        assert client.reader.read() == Text("DBG no noise scan: the coils are combined without whitening")
        # not before its last readout
        assert client.is_quiet()
        client.send(blocks[0][-1])
        assert names(client.images(2 * n)) == ["M0", "m0scan"]
        for number in range(3):
            client.send(*blocks[1 + 2 * number])
            assert names(client.images(n)) == ["control"]
            assert client.is_quiet()
            client.send(*blocks[2 + 2 * number])
            # perfusion and flow come with the label, not with the next pair
            found = names(client.images(4 * n))
            assert sorted(found) == sorted(
                [
                    "label",
                    "control - label",
                    f"CBF of {number + 1} pairs",
                    f"CBF_SE of {number + 1} pairs",
                ]
            )
        assert client.is_quiet()
        client.send(Close())
        assert isinstance(client.reader.read(), Close)
    assert summaries[0].status == "success"
    # the first image has to wait for nothing but its own work
    assert {name: one.n for name, one in summaries[0].latency.items()} == {
        "m0": 1,
        "volume": 7,
        "perfusion": 3,
        "cbf": 3,
    }


def test_noise_scan_is_used_live():
    scan = simulated(NOISY)
    n_first = NOISY.n_noise_readouts + N_OF_VOLUME
    with scanner(scan) as (client, _):
        client.send(*scan.acquisitions[:n_first])
        found = client.images(2 * NOISY.n_slices)
        client.send(Close())
    wanted = run(scan).session.images[: 2 * NOISY.n_slices]
    assert [one.data.tobytes() for one in found] == [one.data.tobytes() for one in wanted]


def test_sinks_get_a_volume_before_the_next_begins():
    sink, is_there = KeepingSink(), threading.Event()
    keep = sink.write

    def write(item):
        keep(item)
        if isinstance(item, M0Volume):
            is_there.set()

    sink.write = write
    with scanner(SCAN, make_sinks=lambda number: [sink]) as (client, _):
        client.send(*SCAN.acquisitions[:N_OF_VOLUME])
        assert is_there.wait(20)
        client.send(Close())
    assert sink.is_closed


@pytest.mark.parametrize("speed", [1, 7, 1000, 100000])
def test_pieces_of_any_size(speed):
    # a message may arrive in any number of pieces
    data = b"".join(map(encode, (ConfigName("epi"), HeaderXml(SCAN.header), *SCAN.acquisitions[:N_OF_VOLUME], Close())))
    small = len(data) if speed > 100 else 3000
    with serving() as (server, summaries), socket.create_connection(server.address, timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, small, speed):
            connection.sendall(data[start : min(start + speed, small)])
        connection.sendall(data[small:])
        found = Scanner(connection).images(PLAIN.n_slices)
    assert summaries[0].status == "success"
    assert summaries[0].n_bytes == len(data)
    wanted = run(SCAN, "epi").session.images[: PLAIN.n_slices]
    assert [one.data.tobytes() for one in found] == [one.data.tobytes() for one in wanted]


# what a loss costs


def place(acquisition: Acquisition) -> tuple[int, int, int, int]:
    at = head_of(acquisition)["idx"]
    return int(at["repetition"]), int(at["set"]), int(at["slice"]), int(at["kspace_encode_step_1"])


def is_imaging(acquisition: Acquisition) -> bool:
    return not head_of(acquisition)["flags"] & (IS_NAVIGATOR | IS_M0)


def without_lines(scan: Scan, *places: tuple[int, int, int, int]) -> Scan:
    return scan.with_acquisitions(lambda number, one: None if place(one) in places and is_imaging(one) else one)


def test_loss_is_reported_with_its_place():
    outcome = run(without_lines(SCAN, (0, 0, 1, 3), (2, 1, 0, 11), (2, 1, 0, 12)))
    summary = outcome.summary
    assert summary.status == "success"
    drops = [(one.what, one.key, one.reason) for one in summary.drops]
    assert sorted(drops, key=str) == sorted(
        [
            ("volume", VolumeKey(0, 0), "readouts missing: slice 1 lacks line 3"),
            ("pair", VolumeKey(0, 1), "pair 0: its control is missing"),
            ("volume", VolumeKey(2, 1), "readouts missing: slice 0 lacks lines 11, 12"),
            ("pair", VolumeKey(2, 0), "pair 2: its label is missing"),
        ],
        key=str,
    )
    assert (summary.n_volumes, summary.n_pairs, summary.n_pairs_rejected) == (5, 1, 2)
    books = {one.name: (one.n_in, one.n_out, one.n_dropped) for one in summary.stages}
    # each stage counts its own losses, not those that pass through it
    n_slices, n_notices = 14 - 2, 1
    assert books["accumulate"] == (375, n_slices + 2 + n_notices, 2)
    assert {name for name, one in books.items() if one[2]} == {"accumulate", "pair"}
    assert books["pair"][2] == 2
    text = str(summary.as_dict()["drops"])
    assert "repetition 2, set 1" in text
    assert summary.drop_reasons["pair: pair 0: its control is missing"] == 1


def test_bad_readout_is_reported_with_repetition_and_slice(caplog):
    def spoil(number, one):
        return changed(one, one.data * np.float32(np.nan)) if place(one) == (1, 0, 1, 9) and is_imaging(one) else one

    outcome = run(SCAN.with_acquisitions(spoil))
    drop = outcome.summary.drops[0]
    assert {one.name: one.n_dropped for one in outcome.summary.stages if one.n_dropped} == {"accumulate": 2, "pair": 1}
    assert (drop.what, drop.key, drop.slice) == ("readout", VolumeKey(1, 0), 1)
    assert "dropped readout (repetition 1, slice 1): samples: expected finite values" in caplog.text


def test_zero_fill():
    good = run(SCAN)
    missing = [(1, 1, 0, 2), (1, 1, 1, 21), (1, 1, 1, 22)]
    outcome = run(without_lines(SCAN, *missing), incomplete_volumes="zero_fill")
    summary = outcome.summary
    assert (summary.status, summary.drops, summary.n_pairs) == ("success", (), 3)
    warnings = [text for level, text in summary.notices if level == "warning"]
    assert warnings == [
        "repetition 1, set 1: slice 0: line 2 missing, filled with zeros",
        "repetition 1, set 1: slice 1: lines 21, 22 missing, filled with zeros",
    ]
    whole, filled = (
        next(one.image for one in each.sink.of(Volume) if one.key == VolumeKey(1, 1)) for each in (good, outcome)
    )
    # the outer lines hold little: the image is nearly that of all lines, and not the same
    difference = np.linalg.norm(filled - whole) / np.linalg.norm(whole)
    assert 1e-3 < difference < 0.1
    others = [
        [one.image.tobytes() for one in each.sink.of(Volume) if one.key != VolumeKey(1, 1)] for each in (good, outcome)
    ]
    assert others[0] == others[1]


def test_zero_fill_at_the_end_of_the_scan():
    scan = with_changes(SCAN, acquisitions=SCAN.acquisitions[:-3])
    outcome = run(scan, incomplete_volumes="zero_fill")
    assert (outcome.summary.status, outcome.summary.n_pairs) == ("success", 3)
    warnings = [text for level, text in outcome.summary.notices if level == "warning"]
    assert warnings == ["repetition 2, set 1: slice 1: lines 21, 22, 23 missing, filled with zeros"]
    dropped = run(scan)
    assert (dropped.summary.n_pairs, dropped.summary.n_pairs_rejected) == (2, 1)


# what the settings change


def drifting(scan: Scan, per_volume: float) -> Scan:
    """The same scan with a receiver whose gain grows from volume to volume."""
    steps: dict[tuple[int, int, bool], int] = {}

    def grow(number, one):
        head = head_of(one)
        key = (int(head["idx"]["repetition"]), int(head["idx"]["set"]), bool(head["flags"] & IS_M0))
        step = steps.setdefault(key, len(steps))
        return changed(one, one.data * np.float32(1 + per_volume * step))

    return scan.with_acquisitions(grow)


def mean_deltam(outcome) -> np.ndarray:
    return outcome.sink.of(PerfusionAverage)[-1].mean


def test_surround_subtraction_takes_a_drift_out():
    # a thousandth per volume is about a tenth of the perfusion signal
    wanted = mean_deltam(run(SCAN))
    scan = drifting(SCAN, 1e-3)
    brain = run(SCAN).sink.of(CbfVolume)[-1].mask
    errors = {
        order: np.mean((mean_deltam(run(scan, subtraction_order=order)) - wanted)[brain])
        for order in ("pairwise", "surround")
    }
    static = np.mean(np.abs(run(SCAN).sink.of(Volume)[1].image)[brain])
    # pairwise: each label has grown by one step over its control; surround: only the last pair, without a neighbour
    assert errors["pairwise"] == pytest.approx(-1e-3 * static, rel=0.05)
    assert errors["surround"] == pytest.approx(-1e-3 * static / 3, rel=0.15)


def test_surround_pair_leaves_when_its_neighbour_is_there():
    n = PLAIN.n_slices
    blocks = [SCAN.acquisitions[start : start + N_OF_VOLUME] for start in range(0, 7 * N_OF_VOLUME, N_OF_VOLUME)]
    with scanner(SCAN, options=ScanOptions(overrides={"subtraction_order": "surround"})) as (client, _):
        client.send(*blocks[0], *blocks[1], *blocks[2])
        assert names(client.images(4 * n)) == ["M0", "m0scan", "control", "label"]
        assert client.is_quiet()
        client.send(*blocks[3])
        assert "CBF of 1 pairs" in names(client.images(4 * n))
        # the header says which pair is the last: it waits for nobody
        client.send(*blocks[4], *blocks[5])
        client.images(5 * n)
        client.send(*blocks[6])
        assert "CBF of 3 pairs" in names(client.images(4 * n))
        client.send(Close())
        assert isinstance(client.reader.read(), Close)


def test_complex_subtraction_of_turned_volumes():
    # the phase of each volume turns as a whole: the magnitude doesn't see it, and the complex difference takes it out
    steps: dict[tuple[int, int, bool], int] = {}

    def turn(number, one):
        head = head_of(one)
        key = (int(head["idx"]["repetition"]), int(head["idx"]["set"]), bool(head["flags"] & IS_M0))
        step = steps.setdefault(key, len(steps))
        return changed(one, one.data * np.complex64(np.exp(0.4j * step)))

    wanted = mean_deltam(run(SCAN))
    brain = run(SCAN).sink.of(CbfVolume)[-1].mask
    scan = SCAN.with_acquisitions(turn)
    for domain in ("magnitude", "complex"):
        found = mean_deltam(run(scan, subtraction_domain=domain))
        # where the two differ, it is by the rounding of float32 and the background
        assert np.linalg.norm((found - wanted)[brain]) < 0.05 * np.linalg.norm(wanted[brain]), domain


def with_wrong_navigators(scan: Scan, phase: float) -> Scan:
    """Labels whose reversed navigators have another phase: their ghost correction is wrong by it."""

    def spoil(number, one):
        head = head_of(one)
        is_it = head["flags"] & IS_NAVIGATOR and head["flags"] & np.uint64(AcquisitionFlag.REVERSE.mask)
        return changed(one, one.data * np.complex64(np.exp(1j * phase))) if is_it and head["idx"]["set"] == 1 else one

    return scan.with_acquisitions(spoil)


@pytest.mark.parametrize("chain", ["pcasl_epi", "pcasl_epi_split"])
def test_shared_ghost_correction(chain):
    wanted = mean_deltam(run(SCAN))
    brain = run(SCAN).sink.of(CbfVolume)[-1].mask
    scan = with_wrong_navigators(SCAN, 0.1)
    errors = {}
    for sharing in ("none", "pair"):
        difference = (mean_deltam(run(scan, chain, ghost_sharing=sharing)) - wanted)[brain]
        errors[sharing] = np.linalg.norm(difference) / np.linalg.norm(wanted[brain])
    # control first: its correction serves the label too, and the label's navigators don't matter
    assert errors["pair"] < 0.02
    assert errors["none"] > 0.2


def test_shared_ghost_correction_of_plain_images_needs_labels():
    unlabelled = SCAN.with_header("<userParameters>.*</userParameters>", "")
    outcome = run(unlabelled, "epi", ghost_sharing="pair")
    assert outcome.summary.status == "success"
    assert ("warning", "ghost_sharing is pair, but the scan declares no labelling: nothing is shared") in (
        outcome.summary.notices
    )
    # declared, it is shared in the node that makes the images, too
    scan = with_wrong_navigators(SCAN, 0.1)
    alone = [one.image for one in run(scan, "epi", ghost_sharing="pair").sink.of(Volume)]
    within = [one.image for one in run(scan, ghost_sharing="pair").sink.of(Volume)]
    assert [image.tobytes() for image in alone] == [image.tobytes() for image in within]


def test_series_to_send():
    outcome = run(SCAN, series=("cbf", "m0"))
    assert {one.header.image_series_index for one in outcome.session.images} == {Series.CBF, Series.M0}
    assert len(outcome.sink.of(Volume)) == 7
    outcome = run(SCAN, series=())
    assert (outcome.summary.status, outcome.session.images) == ("success", [])


def test_images_pass_through_once():
    # what came as an image and is not ours leaves as it is, and reaches the sinks once
    (image, *_) = run(SCAN, "epi").session.images
    foreign = Image(image.header, b"", image.data)
    outcome = run_messages([HeaderXml(SCAN.header), foreign, *SCAN.acquisitions, Close()])
    assert outcome.session.images[0] is foreign
    assert sum(one is foreign for one in outcome.sink.items) == 1
    assert outcome.summary.status == "success"
