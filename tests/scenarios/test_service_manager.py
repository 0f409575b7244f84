"""What systemd is told of the daemon: a socket stands in for it that hears the same messages."""

import os
import signal
import socket
import threading

import parts as real
import pytest


class ServiceManager:
    """Hears what is sent to NOTIFY_SOCKET."""

    def __init__(self, number):
        self.address = f"@trimtab-notify-{os.getpid()}-{number}"
        self.messages = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.address[1:])
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        while message := self.socket.recv(4096):
            self.messages.append(dict(line.split("=", 1) for line in message.decode().splitlines()))

    def count(self, key):
        return sum(key in message for message in self.messages)

    def close(self):
        self.socket.sendto(b"", b"\0" + self.address[1:].encode())
        self.thread.join(10)
        self.socket.close()


@pytest.fixture
def make_service_manager():
    managers = []

    def make(number):
        managers.append(ServiceManager(number))
        return managers[-1]
    yield make
    for manager in managers:
        manager.close()


def test_it_is_told_how_things_are_and_no_longer_fed_once_a_stack_hangs(
        own_engine, make_host, make_service_manager):
    host = make_host(engine=own_engine)
    host.push("web", "1", version="1")
    stack = host.stack("shop", {"web": {"image": host.image("web", "1")}})
    manager = make_service_manager(host.number)
    host.start(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="1500000",
               TRIMTAB_LONGEST_SILENCE_MS="6000")
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.wait(lambda: manager.count("READY") == 1 and manager.count("WATCHDOG"), "it is ready")
    host.wait(lambda: any("shop: release 1" in m.get("STATUS", "") for m in manager.messages),
              "the Status line tells of the release")

    host.reload()
    host.wait(lambda: manager.count("READY") == 2, "it has read its configuration again")
    keys = [key for message in manager.messages for key in message if key in ("READY", "RELOADING")]
    assert keys == ["READY", "RELOADING", "READY"]
    (reloading,) = [m for m in manager.messages if "RELOADING" in m]
    assert int(reloading["MONOTONIC_USEC"]) > 0

    # An Engine that is there and does not answer: the daemon answers, the stack does not get on.
    def complaints():
        return host.log.read_text().count("shop: its reconciliation is stalled: the watchdog is no longer fed")

    engine = own_engine.process.child
    engine.send_signal(signal.SIGSTOP)
    try:
        host.wait(complaints, "the hang is noticed")
        fed, seen = manager.count("WATCHDOG"), complaints()
        host.wait(lambda: complaints() >= seen + 3, "it goes on to hang")
        assert manager.count("WATCHDOG") == fed
        assert host.get("/v1/status")[0] == 200
    finally:
        engine.send_signal(signal.SIGCONT)
    host.wait(lambda: manager.count("WATCHDOG") > fed, "it gets on again")
    host.stop()
    real.wait_until(lambda: manager.count("STOPPING") == 1, "it has said that it stops")
