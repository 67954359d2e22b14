from __future__ import annotations

import datetime
import http.client
import http.server
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from defectscope.errors import MediaError, MediaRefusedError
from defectscope.media.https import Connect, connect_public, open_resource

DATA = bytes(range(256)) * 4000


class Host(http.server.BaseHTTPRequestHandler):
    """Serves DATA in ranges, and everything that can go wrong."""

    protocol_version = "HTTP/1.1"
    etag = '"one"'

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = {"/gone": 404, "/secret": 403, "/busy": 503, "/moved": 302, "/empty": 416}.get(
            path, 206
        )
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        assert match is not None
        first, last = int(match[1]), min(int(match[2]), len(DATA) - 1)
        if path == "/whole":
            status = 200
        if self.headers.get("If-Match", self.etag) != self.etag:
            status = 412
        body = DATA[first : last + 1] if status == 206 else b"never to be read"
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(DATA)}")
            self.send_header("ETag", self.etag)
        if status == 302:
            self.send_header("Location", "https://127.0.0.1/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    trusting = ssl.create_default_context(cafile=certificate)

    def connect(host: str) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(host, server.server_port, timeout=5, context=trusting)

    yield connect
    server.shutdown()
    server.server_close()
    thread.join()


def self_signed(folder: Path) -> tuple[Path, Path]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def test_a_resource_reads_like_a_file(connect: Connect) -> None:
    with open_resource("localhost", "/films/a.mp4?signature=x", connect=connect) as file:
        assert (file.size, file.name) == (len(DATA), "a.mp4")
        file.seek(700_001)
        assert file.read(5000) == DATA[700_001:705_001]
        assert file.bytes_fetched < len(DATA)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/gone", 404, "media_not_found"),
        ("/secret", 404, "media_not_found"),
        ("/busy", 503, "media_unavailable"),
        ("/moved", 400, "media_refused"),
        ("/empty", 422, "unreadable_media"),
        ("/whole", 422, "unreadable_media"),
    ],
)
def test_other_answers_become_errors(connect: Connect, path: str, status: int, code: str) -> None:
    with pytest.raises(MediaError) as caught:
        open_resource("localhost", path, connect=connect)
    assert (caught.value.http_status, caught.value.code) == (status, code)


def test_a_resource_that_changes_meanwhile_is_an_error(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = open_resource("localhost", "/a", connect=connect)
    monkeypatch.setattr(Host, "etag", '"two"')
    with pytest.raises(MediaError, match="changed while it was read"):
        file.read(1)


def test_the_query_with_its_signature_stands_in_no_message(connect: Connect) -> None:
    with pytest.raises(MediaError) as caught:
        open_resource("localhost", "/whole?signature=secret", connect=connect)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "::1", "fd00::1"],
)
def test_hosts_with_private_addresses_are_refused_before_connecting(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    public: Any = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))
    private: Any = (family, socket.SOCK_STREAM, 6, "", (address, 443))

    def found(*_args: object, **_options: object) -> list[Any]:
        return [public, private]

    monkeypatch.setattr(socket, "getaddrinfo", found)

    def never(*_args: object, **_options: object) -> socket.socket:
        raise AssertionError("it connected")

    monkeypatch.setattr(socket, "create_connection", never)
    with pytest.raises(MediaRefusedError, match="not a public address"):
        connect_public("cdn.example.com")


def test_a_host_that_cannot_be_reached_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_args: object, **_options: object) -> list[object]:
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", lost)
    with pytest.raises(MediaError) as caught:
        open_resource("cdn.example.com", "/a")
    assert (caught.value.http_status, caught.value.code) == (503, "media_unavailable")
