"""One scan from its first message to its summary: the same code behind every host.

A session delivers, the chain's stages work, images go back through the session and to the sinks. Whatever goes wrong,
what was received is worked off and saved as far as it can be, the peer is told, and the summary says how it ended.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from math import isfinite
from typing import Any

from threadpoolctl import threadpool_limits

from perfline.gadgets.chain import Chain, build_stages
from perfline.gadgets.errors import OutputError, ReadoutError, ScanError, ScanHeaderError, StreamError
from perfline.gadgets.mrd.collect_images import CollectImages
from perfline.gadgets.mrd.images import ImageMaker, Series
from perfline.gadgets.mrd.json_config import JsonConfig, parse_json_config, without_placeholder
from perfline.gadgets.mrd.messages import ConfigName, ConfigText, ErrorText, HeaderXml, Image, Text, Waveform
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.session import Incoming, Session
from perfline.gadgets.mrd.volumes_from_images import VolumesFromImages
from perfline.gadgets.mrd.waveform_books import WaveformBooks
from perfline.gadgets.ready import get_ready, get_ready_for_spirals
from perfline.gadgets.runner import Runner
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    Delivered,
    Dropped,
    Notice,
    PerfusionAverage,
    Readout,
    ReadoutBlock,
    ScanHeader,
    ScanQuality,
    SideData,
    Volume,
)
from perfline.gadgets.stages.delays import blocks_of
from perfline.gadgets.stages.stage import Stage
from perfline.gadgets.summary import ScanSummary, latency_statistics
from perfline.gadgets.writers.sink import Sink, SinkGroup
from perfline.recon.errors import PerflineError

__all__ = ["ScanOptions", "run_scan"]

_LOG = logging.getLogger(__name__)

_SERIES_NAMES = {
    Series.MAGNITUDE: "volumes",
    Series.PERFUSION_WEIGHTED: "perfusion",
    Series.CBF: "cbf",
    Series.CBF_STANDARD_ERROR: "standard_error",
    Series.M0: "m0",
    Series.TRANSIT_TIME: "att",
    Series.TRANSIT_TIME_STANDARD_ERROR: "att_standard_error",
    Series.TERRITORIES: "territories",
    Series.BLOOD_VOLUME: "abv",
    Series.BLOOD_VOLUME_STANDARD_ERROR: "abv_standard_error",
}
_IMAGES_ALONE = (("epi_recon",), ("spiral_recon",))
_FROM_IMAGES = ("asl_subtraction",)
"""First gadgets of chains that take images, another reconstruction's too."""
_TEXT_LEVELS = {"info": "DBG", "warning": "WRN", "error": "ERR"}


@dataclass(frozen=True)
class ScanOptions:
    """What the person who starts a scan adds to the chain and the header.

    Parameters
    ----------
    overrides : mapping
        Settings that win over chain and protocol.
    sidecar : mapping, optional
        BIDS-named parameters that stand above the protocol and the header.
    aslcontext : sequence of str, optional
        Volume types in acquisition order.
    side : SideData
        What is given beside the stream: a separate M0, a trajectory, a field map.
    """

    overrides: Mapping[str, Any] = field(default_factory=dict)
    sidecar: Mapping[str, Any] | None = None
    aslcontext: Sequence[str] | None = None
    side: SideData = field(default_factory=SideData)


def run_scan(
    session: Session,
    select_chain: Callable[[ConfigName | ConfigText | None], Chain],
    *,
    options: ScanOptions | None = None,
    sinks: Sequence[Sink] = (),
    is_live: bool = False,
) -> ScanSummary:
    """Serve one scan.

    Parameters
    ----------
    session : Session
        Is closed at the end.
    select_chain : callable
        Gives the chain for the configuration that the peer sent (None: it sent none).
    options : ScanOptions, optional
    sinks : sequence of Sink
        Savers and displays; each gets every item and every image.
    is_live : bool
        Whether a scanner waits for its images. Then a sink that can't be opened is left out; otherwise it stops the
        scan, which can be played again. And the peer is told what is not saved.

    Returns
    -------
    ScanSummary
        Never raises for what the peer did or sent: ``status`` and ``reason`` tell.
    """
    scan = _Scan(session, select_chain, options or ScanOptions(), sinks, is_live)
    try:
        # the matrices are small: threads of the BLAS would only spin, and take the core from the kernels and the sender
        with threadpool_limits(limits=1, user_api="blas"):
            with scan.judged():
                scan.run()
            with scan.judged():
                scan.finish()
    except KeyboardInterrupt:
        scan.end("abort", "interrupted")
        scan.conclude()
        raise
    return scan.conclude()


class _Scan:
    """The state of one scan between its first message and its summary."""

    def __init__(
        self,
        session: Session,
        select_chain: Callable[[ConfigName | ConfigText | None], Chain],
        options: ScanOptions,
        sinks: Sequence[Sink],
        is_live: bool,
    ) -> None:
        self._session = session
        self._select_chain = select_chain
        self._options = options
        self._sinks = SinkGroup(sinks, must_open=not is_live, on_failure=self._tell_unsaved if is_live else None)
        self._config: ConfigName | ConfigText | None = None
        self._json: JsonConfig | None = None
        self._xml = b""
        self._has_begun = False
        self._settings = Settings()
        self._header: ScanHeader | None = None
        self._maker: ImageMaker | None = None
        self._runner = Runner((), self._send, self._keep)
        self._images: deque[list[Image]] = deque()
        self._is_peer_gone = False
        self._status, self._reason = "success", ""
        self._notices: dict[str, str] = {}
        self._ghost_levels: list[float] = []
        self._waveforms = WaveformBooks()
        self._n_volumes = 0
        self._n_images_in = 0
        self._n_results = 0
        self._average: PerfusionAverage | None = None
        self._quality: ScanQuality | None = None
        self._start = time.perf_counter()

    def run(self) -> None:
        """Take the scan from its configuration to the last message."""
        self._read_start()
        # at once, so that the peer hears early of what can't be; where no chain is named yet, a text may still do so
        if self._config is not None or self._json is not None:
            self._set_up()
        self._read_all()
        if not self._session.was_closed:
            self._emit(Notice("warning", "the stream ended without a CLOSE message: was the sender done?"))

    def _set_up(self) -> None:
        """Make the stages of the chain for this header."""
        config, chosen = self._config, self._json
        chain = self._select_chain(ConfigName(chosen.chain) if chosen is not None and chosen.chain else config)
        settings = chain.settings()
        if chosen is not None:
            settings = settings.with_values(chosen.settings, "JSON configuration")
        self._settings = settings.with_values(self._options.overrides, "option")
        # images alone need no labelling, so that a broken or foreign ASL header can't stop them; pairs do
        with_asl = chain.gadgets not in _IMAGES_ALONE or self._settings.ghost_sharing == "pair"
        of_images = chain.gadgets[0] in _FROM_IMAGES
        self._header = parse_scan_header(
            self._xml,
            sidecar=self._options.sidecar,
            protocol=self._settings.asl,
            aslcontext=self._options.aslcontext,
            with_asl=with_asl,
            of_images=of_images,
            separate_m0=self._options.side.separate_m0,
        )
        stages = build_stages(chain.gadgets, self._header, self._settings, self._options.side)
        collectors: list[Stage] = [CollectImages()]
        if of_images:
            collectors.append(VolumesFromImages(self._header))
        self._runner = Runner([*collectors, *stages], self._send, self._keep)
        self._maker = ImageMaker(self._header, is_complex=self._settings.volume_images == "complex")
        get_ready()
        if self._header.spiral is not None:
            get_ready_for_spirals()

    def _begin(self) -> None:
        """Open the sinks when the first data come: until then a text of the peer may change the settings."""
        self._has_begun = True
        if self._header is None:
            self._set_up()
        if self._header is None:
            return
        try:
            self._sinks.open(self._header)
        except OutputError:
            # no stage has anything to say of data that it is not given
            self._runner = Runner((), self._send, self._keep)
            raise
        for warning in self._header.warnings:
            self._emit(Notice("warning", warning))
        if self._json is not None and self._json.unknown:
            self._emit(
                Notice("warning", f"JSON configuration: no such setting, not used: {', '.join(self._json.unknown)}")
            )

    def finish(self) -> None:
        """Take what is still in the chain to its end, also after an error; then see whether the scan gave its due."""
        self._runner.finish()
        n_readouts, drops = self._runner.n_readouts, self._runner.drops
        if n_readouts + self._n_images_in + len(drops) == 0:
            raise ScanError("empty scan: the header came, but no readout or image followed")
        if self._n_results == 0:
            first = f"; the first drop: {drops[0].what}: {drops[0].reason}" if drops else ""
            raise ScanError(f"no image: {n_readouts} readouts came, but no complete volume{first}")
        for text, level in self._notices.items():
            if level == "error":
                raise ScanError(text)

    @contextmanager
    def judged(self) -> Iterator[None]:
        """Make what goes wrong within the block the verdict."""
        try:
            yield
        except StreamError as error:
            self.end("abort", str(error))
        except PerflineError as error:
            self.end("fail", str(error))
        except Exception as error:
            # the last resort of the host: a bug must reach the peer as an error, never as a normal end
            _LOG.exception("internal error")
            self.end("fail", f"internal error: {type(error).__name__}: {error}")

    def end(self, status: str, reason: str) -> None:
        """Set the verdict; the first bad one stays."""
        if self._status == "success":
            self._status, self._reason = status, reason

    def conclude(self) -> ScanSummary:
        """Complete the files, tell the peer, close everything, and sum up."""
        summary = self._summary()
        has_ended_well = self._status == "success"
        # a peer that has said its last word waits for ours; one that hasn't may go on sending for long: the files first
        if has_ended_well:
            self._end_session()
        summary = replace(summary, status=self._status, reason=self._reason)
        with self.judged():
            self._sinks.close_prompt(summary)
        if not has_ended_well:
            self._end_session()
        files: tuple[str, ...] = ()
        with self.judged():
            files = tuple(map(str, self._sinks.close_late(summary)))
        notices = summary.notices + tuple(self._sinks.notices)
        return replace(summary, status=self._status, reason=self._reason, files=files, notices=notices)

    def _end_session(self) -> None:
        """Tell the peer how the scan ended."""
        if self._status != "success":
            self._to_peer(partial(self._session.send_error, self._reason))
        try:
            self._session.close()
        except StreamError as error:
            # known by now if nothing could be sent before; else the last images haven't reached the peer
            self.end("abort", str(error))

    def _read_start(self) -> None:
        """Read the configuration, if one comes, and the header."""
        while True:
            item = self._session.read()
            if isinstance(item, ConfigText) and (chosen := parse_json_config(item.xml)) is not None:
                self._json = chosen
            elif isinstance(item, ConfigName | ConfigText):
                self._config = without_placeholder(item)
            elif isinstance(item, HeaderXml):
                self._xml = item.xml
                return
            elif isinstance(item, Text):
                self._take_text(item)
            elif item is None:
                raise ScanHeaderError("no header: the stream ended before an MRD header (id 3) came")
            else:
                got = "Readout" if isinstance(item, ReadoutBlock) else type(item).__name__
                raise ScanHeaderError(f"no header: expected an MRD header (id 3) first, got {got}")

    def _read_all(self) -> None:
        session = self._session
        while True:
            try:
                item: Incoming | Dropped | None = session.read()
            except ReadoutError as error:
                item = Dropped("readout", str(error))
            if not self._has_begun and (
                item is None or isinstance(item, Readout | ReadoutBlock | Image | Waveform | Dropped)
            ):
                self._begin()
            if isinstance(item, Readout | ReadoutBlock):
                self._runner.feed(item)
            elif isinstance(item, Image | Dropped):
                self._n_images_in += isinstance(item, Image)
                self._runner.feed(item)
            elif item is None:
                return
            else:
                self._take_aside(item)

    def _take_aside(self, item: Incoming) -> None:
        """Handle messages that are not data of the chain."""
        if isinstance(item, Waveform):
            self._waveforms.add(item)
            self._sinks.write(item)
        elif isinstance(item, Text):
            self._take_text(item)
        elif isinstance(item, ErrorText):
            self.end("abort", f"the sender reports an error: {item.text}")
        else:
            raise StreamError(f"expected data after the header, got another {type(item).__name__}")

    def _take_text(self, item: Text) -> None:
        """Write a line of the peer to the log, unless it is what the operator chose at the scanner."""
        chosen = None if self._has_begun else parse_json_config(item.text)
        if chosen is None:
            _LOG.info("peer: %s", item.text)
            return
        self._json = chosen
        if self._header is not None:
            self._set_up()

    def _emit(self, item: object) -> None:
        """Handle what doesn't come from the chain like what does."""
        self._send(item)
        self._keep(item)

    def _send(self, item: object) -> None:
        """Send an item's images; keep the books of the summary."""
        self._note(item)
        images = self._images_of(item)
        if images:
            self._to_peer(partial(self._session.send, images))
        self._images.append(images)

    def _keep(self, item: object) -> None:
        """Hand an item, and the images that were sent of it, to the sinks; items come in the order of sending."""
        # an image that only passes through is its own
        if not isinstance(item, Image):
            self._sinks.write(item)
        if isinstance(item, Delivered):
            return
        for image in self._images.popleft():
            self._sinks.write(image)

    def _images_of(self, item: object) -> list[Image]:
        if self._maker is None:
            return []
        if isinstance(item, Image):
            return [item]
        return [image for image in self._maker.images_of(item) if self._is_wanted(image)]

    def _is_wanted(self, image: Image) -> bool:
        name = _SERIES_NAMES.get(Series(image.header.image_series_index))
        return name is None or name in self._settings.series

    def _to_peer(self, send: Callable[[], None]) -> None:
        """Send something, unless the peer is gone."""
        if self._is_peer_gone:
            return
        try:
            send()
        except StreamError as error:
            _LOG.warning("%s", error)
            # the results can still be saved; what has already arrived is worked off
            self._is_peer_gone = True
            self.end("abort", str(error))

    def _tell_unsaved(self, reason: str) -> None:
        """Tell the peer that something is not saved here; its images are as they should be."""
        self._to_peer(partial(self._session.send_text, "WRN", f"not everything of this scan is saved: {reason}"))

    def _note(self, item: object) -> None:
        self._n_results += not isinstance(item, Dropped | Notice)
        if isinstance(item, Volume):
            self._n_volumes += 1
            # NaN: a readout without an N/2 ghost
            if isfinite(item.ghost_level):
                self._ghost_levels.append(item.ghost_level)
        elif isinstance(item, PerfusionAverage):
            self._average = item
        elif isinstance(item, ScanQuality):
            self._quality = item
        elif isinstance(item, Dropped):
            _LOG.warning("dropped %s%s: %s", item.what, _place_of(item), item.reason)
        elif isinstance(item, Notice) and item.text not in self._notices:
            self._notices[item.text] = item.level
            # an error is the verdict, and told as such, once the scan has been worked off
            if item.level != "error":
                self._to_peer(partial(self._session.send_text, _TEXT_LEVELS[item.level], item.text))

    def _summary(self) -> ScanSummary:
        runner, average = self._runner, self._average
        quality = self._quality
        figures = dict(quality.figures) if quality is not None else {}
        rejected = average.rejected if average is not None else ()
        if self._waveforms.n:
            figures["n_waveforms"] = self._waveforms.n
        n_pairs = quality.n_pairs if quality is not None else average.n_pairs if average is not None else 0
        asl = None if self._header is None else self._header.asl
        return ScanSummary(
            status=self._status,
            reason=self._reason,
            n_readouts=runner.n_readouts,
            n_volumes=self._n_volumes,
            n_pairs=n_pairs,
            n_pairs_rejected=sum(drop.what == "pair" for drop in runner.drops) + len(rejected),
            stages=runner.stage_statistics(),
            drops=tuple(runner.drops),
            latency={name: s for name, times in runner.latencies.items() if (s := latency_statistics(times))},
            ghost_levels=tuple(self._ghost_levels),
            figures=figures,
            notices=tuple((level, text) for text, level in self._notices.items()),
            parameters=dict(self._header.parameters) if self._header is not None else {},
            settings={**vars(self._settings), "asl": dict(self._settings.asl)},
            seconds=time.perf_counter() - self._start,
            n_bytes=int(getattr(self._session, "n_bytes", 0)),
            software=f"perfline {version('perfline')}",
            rejected=rejected,
            regions=quality.regions if quality is not None else (),
            waveforms=dict(self._waveforms.by_id),
            n_blocks=None if asl is None else blocks_of(asl, n_pairs, of_average=quality is None),
            figures_of="" if quality is None else quality.figures_of,
        )


def _place_of(drop: Dropped) -> str:
    """Volume and slice in brackets, as far as they are known."""
    parts = [] if drop.key is None else [str(drop.key)]
    if drop.slice is not None:
        parts.append(f"slice {drop.slice}")
    return f" ({', '.join(parts)})" if parts else ""
