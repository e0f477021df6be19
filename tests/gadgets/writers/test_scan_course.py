import math
import tracemalloc
from dataclasses import replace

import pytest
from course_items import FIGURES, flow, quality
from stage_items import volume

from perfline.gadgets.stage_data import Delivered, Motion, RegionPrecision, VolumeKey
from perfline.gadgets.writers.scan_course import ScanCourse
from perfline.recon.parameters import VolumeType


def course_of(*items):
    course = ScanCourse()
    for item in items:
        course.take(item)
    return course


def test_each_volume_has_its_numbers():
    control = volume(1, VolumeType.CONTROL, 0, 5)
    label = replace(volume(1, VolumeType.LABEL, 0, 6), ghost_level=0.03)
    unlabelled = volume(1, None, None, 8)
    # the motion of a volume comes with that of its pair, after both
    course = course_of(
        control,
        Delivered("volume", 0.004),
        label,
        Delivered("volume", 0.006),
        Delivered("perfusion", 0.1),
        Motion(control.key, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0),
        Motion(label.key, (0.1, -0.2, 0.3), (1.0, 2.0, -3.0), 0.7),
        unlabelled,
    )
    first, second, third = course.volumes
    assert (first.number, first.volume_type, first.time_s, first.latency_s) == (1, "control", 0.0, 0.004)
    assert (second.number, second.volume_type, second.ghost_level, second.latency_s) == (2, "label", 0.03, 0.006)
    assert (second.translation, second.rotation, second.displacement) == ((0.1, -0.2, 0.3), (1.0, 2.0, -3.0), 0.7)
    assert second.time_s == pytest.approx(0.1, rel=1e-12)  # the difference of 0.6 and 0.5 in float64
    assert first.displacement == 0.0
    assert (third.number, third.volume_type) == (3, "")
    unknown = [third.latency_s, third.displacement, *third.translation, *third.rotation]
    assert all(math.isnan(value) for value in unknown)
    assert course.pairs == []


def test_without_time_stamps_there_are_no_times():
    still = [replace(volume(1, VolumeType.CONTROL, pair), time_stamp=0.0) for pair in range(2)]
    assert all(math.isnan(point.time_s) for point in course_of(*still).volumes)
    assert course_of(still[0]).volumes[0].time_s == 0.0


def test_motion_of_a_volume_that_never_came_is_ignored():
    moved = Motion(VolumeKey(7), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 1.0)
    (point,) = course_of(moved, volume(1, VolumeType.CONTROL, 0), moved).volumes
    assert math.isnan(point.displacement)


def test_each_map_has_its_numbers():
    course = course_of(Delivered("cbf", 9.0), flow(), Delivered("cbf", 0.008), quality(), Delivered("cbf", 9.0))
    (point,) = course.pairs
    assert (point.n_pairs, point.mean_cbf, point.standard_error, point.n_rejected) == (3, 41.5, 1.25, 1)
    assert (point.latency_s, point.region, point.region_mean, point.artery) == (0.008, "head", 41.5, None)
    assert point.figures == FIGURES
    assert course.rejected == ((2, "moved"),)


def test_the_error_is_that_of_the_least_sure_region():
    insula = RegionPrecision("left insula", 55.0, 2.5, 3, None, False, label=3)
    (point,) = course_of(flow(insula), quality()).pairs
    assert (point.mean_cbf, point.region, point.region_mean, point.standard_error) == (41.5, "left insula", 55.0, 2.5)


def test_what_is_not_known_is_nan():
    (point,) = course_of(flow(None), quality(figures={})).pairs
    assert all(math.isnan(value) for value in (point.mean_cbf, point.standard_error, point.latency_s))
    assert point.region == ""


def test_a_quality_without_its_map_takes_nothing_from_the_one_before():
    _, point = course_of(flow(), Delivered("cbf", 0.008), quality(), quality(rejected=(), n_pairs=4)).pairs
    assert (point.n_pairs, point.n_rejected, point.region) == (4, 0, "")
    assert math.isnan(point.standard_error)
    assert math.isnan(point.latency_s)


def test_several_arteries_of_a_block_are_several_points():
    items = []
    for artery, mean in ((1, 30.0), (2, 20.0)):
        items += [flow(artery=artery), Delivered("cbf", 0.01 * artery), quality(figures={**FIGURES, "mean_cbf": mean})]
    points = course_of(*items).pairs
    assert [(point.artery, point.mean_cbf, point.latency_s) for point in points] == [(1, 30.0, 0.01), (2, 20.0, 0.02)]


def test_all_arteries_together_are_a_point_without_an_artery():
    together = RegionPrecision("head", 50.0, 1.75, 3, None, False)
    total = quality(figures={**FIGURES, "mean_cbf": 50.0}, figures_of="all arteries", precision=together)
    points = course_of(flow(artery=1), quality(), flow(artery=2), Delivered("cbf", 0.01), quality(), total).pairs
    assert [point.artery for point in points] == [1, 2, None]
    last = points[-1]
    assert (last.mean_cbf, last.standard_error, last.region, last.n_rejected) == (50.0, 1.75, "head", 1)
    assert math.isnan(last.latency_s)
    (*_, first) = course_of(flow(artery=1), quality(), replace(total, precision=None)).pairs
    assert (first.mean_cbf, first.artery) == (50.0, None)
    assert math.isnan(first.standard_error)


def test_figures_may_become_known_later():
    first, second = course_of(flow(), quality(), flow(), quality(figures={**FIGURES, "ghost_level": 0.01})).pairs
    assert "ghost_level" not in first.figures
    assert second.figures["ghost_level"] == 0.01


def test_a_long_scan_stays_small():
    course, control, label = ScanCourse(), volume(1, VolumeType.CONTROL, 0), volume(1, VolumeType.LABEL, 0)
    tracemalloc.start()
    try:
        for pair in range(1000):
            for kind, one in enumerate((control, label)):
                key = VolumeKey(pair, kind)
                course.take(replace(one, key=key, time_stamp=float(pair)))
                course.take(Delivered("volume", 0.004))
                # half of them never hear of their motion
                if kind == 0:
                    course.take(Motion(key, (0.0, 0.0, 0.1 * pair), (0.0, 0.0, 0.0), 0.1))
            course.take(flow(n_pairs=pair))
            course.take(quality(n_pairs=pair, figures=dict(FIGURES)))
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(course.volumes) == 2 * len(course.pairs) == 2000
    assert course.volumes[1998].translation[2] == pytest.approx(99.9)
    assert size < 400 * 2000  # bytes for each volume: 80 of numbers, the rest for pairs and for what is awaited
