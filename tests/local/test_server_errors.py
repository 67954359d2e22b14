"""What fails a test: an error that a server of its own has logged."""

from __future__ import annotations

from pathlib import Path

from server_errors import ServerErrors

from defectscope.container.server_log import ServerLog


def test_errors_of_a_servers_log_are_told_once(tmp_path: Path, server_errors: ServerErrors) -> None:
    path = tmp_path / "server.log"
    path.write_text("2026-11-29T14:00:00,001 ERROR main of an earlier server\n")
    log = ServerLog(path)
    stdout, _ = log.streams()
    assert not isinstance(stdout, int)
    stdout.write(
        b"2026-11-29T14:00:00,002 INFO  MODEL_LOG no ERROR at all\n"
        b"2026-11-29T14:00:00,003 ERROR org.pytorch.serve Load model failed\n"
        b"2026-11-29T14:00:00,004 INFO  MODEL_LOG Traceback (most recent call last):\n"
        b"2026-11-29 14:00:00,005 ERROR defectscope.local half a li"
    )
    log.started()
    told = server_errors.take()
    assert [line[:35] for line in told] == [
        "server.log: 2026-11-29T14:00:00,003",
        "server.log: 2026-11-29T14:00:00,004",
    ]
    with path.open("ab") as file:
        file.write(b"ne\n")
    log.ended()
    path.unlink()
    (last,) = server_errors.take()
    assert last.endswith("half a line")
    assert server_errors.take() == []
