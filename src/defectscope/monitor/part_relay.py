"""Hands FFmpeg's reader the parts of low-latency HLS, over HTTP on loopback.

Only playlists pass through here; parts are fetched by the reader from where they are. The server is
asked to answer when the next part is there, where it can.
"""

from __future__ import annotations

import base64
import http.client
import secrets
import threading
import urllib.error
import urllib.request
from types import TracebackType
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from defectscope.errors import DefectscopeError, MediaUnavailableError
from defectscope.media.hls import attributes, rank
from defectscope.monitor.part_playlist import PartPlaylist, has_parts
from defectscope.page_server import PageHandler, listen, url_of

_MAX_BYTES = 2_000_000
_KIND = "application/vnd.apple.mpegurl"
# For each wait; a server that is asked to wait may do so for three target durations.
_TIMEOUT_S, _BLOCKED_S = 10.0, 30.0

# What the reader is told: to begin where the playlist does, and to look at one part to know its
# tracks, for what it looks at comes late by as much ever after.
OPTIONS = {"live_start_index": "0", "analyzeduration": "1000000", "probesize": "500000"}


class PartRelay:
    """Serves the playlists of one source; as a context, it ends with it.

    Attributes:
        address: What the reader opens.
    """

    def __init__(self, playlists: list[str], fetch: Fetch, *, parts: bool = True) -> None:
        """Takes a port of loopback.

        Args:
            playlists: Addresses of media playlists: of the video, and of its sound if it is apart.
            fetch: Reads them.
            parts: They have parts; else the reader reads the playlists themselves, and is told here
                which.
        """
        self._lists = [(url, PartPlaylist(), threading.Lock()) for url in playlists]
        self._fetch = fetch
        secret = secrets.token_urlsafe(16)
        paths = [f"/{secret}/{n}.m3u8" if parts else url for n, url in enumerate(playlists)]
        relay = self

        class Handler(PageHandler):
            def get(self) -> None:
                if self.path == f"/{secret}/all.m3u8":
                    self.answer(200, _KIND, _master(paths).encode())
                elif self.path not in paths:
                    super().get()
                else:
                    try:
                        text = relay.playlist(paths.index(self.path))
                    except DefectscopeError as error:
                        self.refuse(502, error.code, error.message)
                        return
                    self.answer(200, _KIND, text.encode())

        self._server = listen(0, Handler)
        first = paths[0] if parts and len(paths) == 1 else f"/{secret}/all.m3u8"
        self.address = url_of(self._server).rstrip("/") + first
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> PartRelay:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def playlist(self, number: int) -> str:
        """Returns one of them as it is now, or once its next part is there.

        Raises:
            DefectscopeError: It cannot be read, or is none.
        """
        url, told, lock = self._lists[number]
        with lock:
            query = told.query()
            parts = urlsplit(url)
            asked = "&".join(q for q in (parts.query, query) if q)
            where = urlunsplit(parts._replace(query=asked))
            text, came_from = self._fetch(where, _BLOCKED_S if query else _TIMEOUT_S)
            told.take(text, came_from)
            return told.text()


class Fetch:
    """Reads playlists over HTTP; messages never have the address.

    Args:
        name: What errors call the source.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._opener = urllib.request.OpenerDirector()
        # No handler of files or of FTP: a redirect leads to the web or nowhere.
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
        ):
            self._opener.add_handler(handler)

    def __call__(self, url: str, timeout_s: float = _TIMEOUT_S) -> tuple[str, str]:
        """Returns a text and where it came from.

        Raises:
            MediaUnavailableError: It cannot be reached, or is too long for a playlist.
        """
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        bare = urlunsplit(parts._replace(netloc=host))
        try:
            request = urllib.request.Request(bare, headers={"User-Agent": "defectscope"})
            if at:
                key = base64.b64encode(unquote(user).encode()).decode()
                # A redirect may lead to another server, which is not to know it.
                request.add_unredirected_header("Authorization", f"Basic {key}")
            with self._opener.open(request, timeout=timeout_s) as answer:
                data = answer.read(_MAX_BYTES + 1)
                came_from = str(answer.url)
        except urllib.error.HTTPError as error:
            error.close()
            raise MediaUnavailableError(f"{self._name}: HTTP status {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException):
            raise MediaUnavailableError(f"{self._name}: cannot be reached") from None
        if len(data) > _MAX_BYTES:
            raise MediaUnavailableError(f"{self._name}: too long for a playlist")
        return data.decode("utf-8", "replace"), url if came_from == bare else came_from


def part_playlists(url: str, fetch: Fetch) -> list[str]:
    """Returns the media playlists of a source of parts: the best variant's, and its sound's.

    Returns:
        Nothing where it has no parts that can be read one by one.
    """
    if not _is_playlist(url) or _proxied():
        return []
    try:
        text, came_from = fetch(url)
        found = _chosen(text, came_from) or [url]
        for address in found:
            text, came_from = fetch(address)
            if not has_parts(text):
                return []
            PartPlaylist().take(text, came_from)
    except DefectscopeError:
        # FFmpeg's reader tries by itself, by whole segments, and says what is wrong.
        return []
    return found


def variant_playlists(url: str, fetch: Fetch) -> list[str]:
    """Returns the media playlists of the best variant alone: FFmpeg's reader would read them all.

    Returns:
        Its video and its sound; nothing where the address has no variants, or names what does not
        come over the web.
    """
    if not _is_playlist(url):
        return []
    try:
        found = _chosen(*fetch(url))
    except DefectscopeError:
        return []
    if len(found) > 1 and _proxied():
        return []
    over_web = all(urlsplit(each).scheme.lower() in ("http", "https") for each in found)
    return found if over_web else []


def _is_playlist(url: str) -> bool:
    return urlsplit(url).path.lower().endswith((".m3u8", ".m3u"))


def _chosen(text: str, url: str) -> list[str]:
    """Returns addresses of the best variant and of its sound; none where it is no list of them."""
    variants: list[dict[str, str]] = []
    sounds: list[dict[str, str]] = []
    pending: dict[str, str] | None = None
    for line in map(str.strip, text.splitlines()):
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-STREAM-INF":
            pending = attributes(value)
        elif tag == "#EXT-X-MEDIA":
            sounds.append(attributes(value))
        elif line and not line.startswith("#") and pending is not None:
            variants.append(pending | {"URI": line})
            pending = None
    if not variants:
        return []
    best = max(variants, key=rank)
    group = [
        s
        for s in sounds
        if s.get("TYPE") == "AUDIO" and s.get("GROUP-ID") == best.get("AUDIO") and s.get("URI")
    ]
    found = [best["URI"], *(s["URI"] for s in group)]
    return [urljoin(url, uri) for uri in dict.fromkeys(found)]


def _master(paths: list[str]) -> str:
    """Returns a list of one variant, the sound of which lies apart."""
    sounds = "\n".join(
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="{n}",URI="{path}"'
        for n, path in enumerate(paths[1:])
    )
    return f'#EXTM3U\n{sounds}\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n{paths[0]}\n'


def _proxied() -> bool:
    """Whether FFmpeg would ask a proxy for what is on loopback."""
    return bool(urllib.request.getproxies().get("http")) and not urllib.request.proxy_bypass(
        "127.0.0.1"
    )
