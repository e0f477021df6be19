import json
import shutil
import threading
from multiprocessing.connection import Listener

import numpy as np
import pytest
from small_scan import RECIPE, scan_messages

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError, StreamError
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, HeaderXml
from perfline.gadgets.outputs import OutputOptions, output_sinks
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.viewer.finished_scan import finished_scan, show_finished_scan
from perfline.gadgets.viewer.scan_views import ScanView
from perfline.gadgets.viewer.shown_maps import shown_maps
from perfline.gadgets.viewer.wire import Batch, picture_key, receive
from perfline.gadgets.writers.course_tables import CourseSink
from perfline.gadgets.writers.keep_items import KeepItems


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """The folder of a scan, and what had left its chain."""
    folder, kept = tmp_path_factory.mktemp("scans") / "scan_0007", KeepItems()
    sinks = output_sinks(folder, "sub-01", OutputOptions(with_montage=False, with_mrd=False), overwrite=False)
    if not any(isinstance(sink, CourseSink) for sink in sinks):
        sinks = [CourseSink(folder), *sinks]
    xml, acquisitions = scan_messages()
    messages = (HeaderXml(xml), *acquisitions, Close())
    options = ScanOptions({"target_standard_error": "0.01"})
    run_scan(MemorySession(messages), lambda config: load_chain("pcasl_epi"), options=options, sinks=[kept, *sinks])
    return folder, kept.items


def view_of(messages):
    view = ScanView(1)
    for message in messages:
        view.take(message)
    return view


def live_view(items):
    """What the page would have shown in the end."""
    view = ScanView(1)
    pictures = {}
    for item in items:
        try:
            key = picture_key(item)
        except AttributeError:
            continue
        if key[0] in ("Volume", "M0Volume", "PerfusionAverage", "CbfVolume"):
            if key[0] == "Volume" and item.label.volume_type != "control":
                continue
            pictures[key] = item
    view.take(Batch(tuple(items), tuple(pictures.values()), 0))
    return view


def test_the_page_is_that_of_the_live_view(scan):
    folder, items = scan
    view, live = view_of(finished_scan(folder)), live_view(items)
    assert view.title == "scan_0007 (success)"
    assert view.began.flow_name == "CBF"
    assert view.began.about == "PCASL · PLD 1.8 s · 3 T"
    assert view.ended.target == 0.01
    maps, live_maps = (shown_maps(one.pictures) for one in (view, live))
    assert list(maps) == list(live_maps)
    for place, shown in maps.items():
        expected = live_maps[place]
        np.testing.assert_array_equal(shown.image, expected.image)
        assert (shown.title, shown.unit, shown.high) == (expected.title, expected.unit, expected.high)
        # the affine of the file rounds to float32
        np.testing.assert_allclose(shown.geometry.read_dir, expected.geometry.read_dir, atol=1e-6)
        np.testing.assert_allclose(shown.geometry.phase_dir, expected.geometry.phase_dir, atol=1e-6)
        np.testing.assert_allclose(shown.geometry.voxel_size[:2], expected.geometry.voxel_size[:2], rtol=1e-6)
    assert len(view.volumes) == len(live.volumes) == 1 + 2 * RECIPE.n_pairs
    for one, other in zip(view.volumes, live.volumes, strict=True):
        assert (one.number, one.volume_type) == (other.number, other.volume_type)
        assert one.ghost_level == pytest.approx(other.ghost_level, rel=1e-6)  # seven digits in the table
    assert [point.n_pairs for point in view.pairs] == [point.n_pairs for point in live.pairs]
    assert view.pairs[-1].mean_cbf == pytest.approx(live.pairs[-1].mean_cbf, rel=1e-6)
    assert view.flow.n_pairs == live.flow.n_pairs
    assert view.notices == live.notices
    assert {row.name: row.value for row in view.began.parameters}["PostLabelingDelay"] == "1.8"


def test_maps_are_found_by_their_names_wherever_they_lie(scan, tmp_path):
    folder, _ = scan
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            shutil.copy(path, flat / path.name)
    summary = json.loads((folder / "summary.json").read_text())
    summary["files"] = [name.rpartition("/")[2] for name in summary["files"]]
    (flat / "summary.json").write_text(json.dumps(summary))
    for name in ("volumes.tsv", "pairs.tsv"):
        (flat / name).unlink()
    view = view_of(finished_scan(flat))
    assert len(shown_maps(view.pictures)) == len(shown_maps(view_of(finished_scan(folder)).pictures))
    # without its tables a scan has no courses
    assert (view.volumes, view.pairs) == ([], [])


@pytest.mark.parametrize(("n_blocks", "of_block"), [(None, None), (1, 2), (2, 1), (0, 1)])
def test_blocks_are_counted_as_in_the_summary(scan, tmp_path, n_blocks, of_block):
    folder, _ = scan
    shutil.copytree(folder, tmp_path / "scan")
    summary = json.loads((folder / "summary.json").read_text())
    (tmp_path / "scan" / "summary.json").write_text(json.dumps(summary | {"n_blocks": n_blocks, "n_pairs": 2}))
    assert view_of(finished_scan(tmp_path / "scan")).pairs_of_block == of_block


def test_a_folder_without_a_scan_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"expected the folder of a scan, with a summary\.json"):
        finished_scan(tmp_path)


def test_a_scan_is_sent_to_the_viewer(scan, tmp_path):
    messages = finished_scan(scan[0])
    with Listener(str(tmp_path / "socket"), "AF_UNIX") as listener:
        sender = threading.Thread(target=show_finished_scan, args=(tmp_path / "socket", messages))
        sender.start()
        with listener.accept() as connection:
            view = view_of(receive(connection) for _ in range(4))
        sender.join()
    assert view.status == "success"
    with pytest.raises(StreamError, match="live view: the viewer can't be reached"):
        show_finished_scan(tmp_path / "nobody", messages)
