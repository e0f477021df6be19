import math

from viewer_items import average, flow, m0, one_pair, quality

from perfline.gadgets.stage_data import Dropped, Notice
from perfline.gadgets.viewer.scan_views import ScanView, ScanViews
from perfline.gadgets.viewer.wire import Batch, Began, Course, Ended
from perfline.gadgets.writers.scan_course import PairPoint, VolumePoint

BEGAN = Began("my scan", "PCASL", "CBF", ())


def test_a_view_keeps_courses_and_the_latest_pictures():
    view = ScanView(3)
    assert view.title == "scan 3 (running)"
    view.take(BEGAN)
    for number in range(2):
        view.take(Batch(tuple(one_pair(number)), (average(number + 1), flow(number + 1), m0()), number))
    assert view.title == "my scan (running)"
    assert [point.n_pairs for point in view.pairs] == [1, 2]
    assert [point.displacement for point in view.volumes][1::2] == [0.7, 0.7]
    assert math.isnan(view.volumes[0].displacement)
    assert view.rejected == ((1, "moved"),)
    assert len(view.pictures) == 3
    assert view.pictures["PerfusionAverage", "PLD 1.8 s"].n_pairs == 2
    assert view.flow.n_pairs == 2
    assert view.n_lost == 1
    assert view.version == 3
    view.take(Ended("abort", "client gone", 0.5))
    assert (view.status, view.title) == ("abort", "my scan (abort)")


def test_what_is_said_a_thousand_times_is_listed_once():
    view = ScanView(1)
    drops = [Dropped("readout", "nan"), Dropped("pair", "no label"), Dropped("readout", "nan")]
    view.take(Batch((*drops, Notice("warning", "no noise"), Notice("warning", "no noise")), (), 0))
    assert view.drops == {"readout: nan": 2, "pair: no label": 1}
    assert view.notices == {"no noise": "warning"}
    view.take(Batch(tuple(Dropped("readout", str(number)) for number in range(1000)), (), 0))
    view.take(Batch(tuple(Notice("info", str(number)) for number in range(1000)), (), 0))
    assert len(view.drops) == 201
    assert view.drops["others"] == 802
    assert len(view.notices) == 200


def test_the_courses_of_a_finished_scan_are_those_of_its_tables():
    view = ScanView(1)
    volumes = (VolumePoint(1, "control", 0.0, 0.1, 0.2),)
    pairs = (PairPoint(4, 40.0, 1.0, {}, 0, 0.1),)
    view.take(Batch((flow(), quality()), (), 0))
    view.take(Course(volumes, pairs))
    assert (view.volumes, view.pairs) == (list(volumes), list(pairs))


def test_delays_and_arteries_can_be_chosen():
    view = ScanView(1)
    view.take(Batch((), (average(delay=2.0), average(delay=0.5), flow(artery=1)), 0))
    assert view.groups == ["PLD 0.5 s", "PLD 2 s", "artery 1"]


def test_a_scan_that_vanishes_is_said_to_be_lost():
    views = ScanViews()
    with views.receiving() as view:
        view.take(BEGAN)
    assert (view.status, view.number) == ("lost", 1)
    with views.receiving() as view:
        view.take(Ended("success", "", 0.0))
    assert (view.status, view.number) == ("success", 2)


def test_old_scans_make_room_but_not_those_that_run():
    views = ScanViews()
    running = views.add()
    for _ in range(20):
        views.add().take(Ended("success", "", 0.0))
    assert running in views.scans
    assert [scan.number for scan in views.scans] == [1, *range(11, 22)]
