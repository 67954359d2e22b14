from __future__ import annotations

import socket
import time

from defectscope.monitor.receiver import Address, UdpReceiver

COUNT, BYTES = 60, 1316


def test_all_datagrams_are_handed_on_together_and_in_order() -> None:
    parts: list[bytes] = []
    receiver = UdpReceiver(Address("127.0.0.1", 0), lambda data, _at_s: parts.append(data))
    port = receiver.port
    sent = [bytes([number]) * BYTES for number in range(COUNT)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        # They wait in the kernel until the thread begins: more than is handed on at once.
        for data in sent:
            sender.sendto(data, ("127.0.0.1", port))
        receiver.start()
        ends_s = time.monotonic() + 20.0
        while sum(map(len, parts)) < COUNT * BYTES and time.monotonic() < ends_s:
            time.sleep(0.01)
        sender.sendto(b"late", ("127.0.0.1", port))
        while parts[-1] != b"late" and time.monotonic() < ends_s:
            time.sleep(0.01)
    assert b"".join(parts) == b"".join(sent) + b"late"
    assert len(parts) < COUNT / 4
    assert receiver.datagrams == COUNT + 1
    assert receiver.facts.packets == 7
    receiver.close()
    # The port is free again.
    UdpReceiver(Address("127.0.0.1", port), lambda _data, _at_s: None).close()
