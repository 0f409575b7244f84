"""Being killed and stopped in the middle: the next start goes on, and nothing is mixed."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import parts as real
import pytest
import test_rolling
from host import BUILD, ROOT, Events, Host

FORWARD = ["pulling", "before", "switching", "starting", "gating"]
DONE = ["committing", "after"]
BACK = ["rolling_back", "gating_rollback"]

# Each a deployment that is cut off again and again: one kill a phase, so that none is given up.
GOOD = {
    "before": ["release:saved", "pulling:begun", "before:begun", "switching:begun",
               "starting:begun", "gating:begun", "committing:begun", "after:begun"],
    "after": ["pulling:performed", "before:performed", "switching:performed",
              "starting:performed", "gating:performed", "committing:performed",
              "after:performed"],
    "within": ["switching:checked_out", "finish:recorded"],
}
BAD = {
    "before": ["starting:begun", "gating:begun", "rolling_back:begun", "gating_rollback:begun"],
    "after": ["starting:performed", "gating:performed", "rolling_back:performed",
              "gating_rollback:performed"],
    "within": ["rolling_back:checked_out", "finish:recorded"],
}


class Shop:
    """A stack that goes on from test to test: each one pushes its own version."""

    def __init__(self, host):
        self.host = host
        for name in ("web", "store"):
            host.push(name, "1", health=False)
        self.versions = 1
        host.push("api", "1", version="1", health=False)
        self.stack = host.stack("shop", self.services(), {"site.conf": "version 1\n"},
                                gate={"timeout": "20s", "stable": "300ms"},
                                hooks={"before": [{"program": "/bin/true"}],
                                       "after": [{"program": "/bin/true"}]})
        host.start()
        self.good = self.stack.wait_commit(self.stack.git("rev-parse", "HEAD"))["release"]
        self.store = self.stack.container("store")["Id"]
        host.stop()

    def services(self):
        host = self.host
        return {
            "web": {"image": host.image("web", "1"), "volumes": ["./site.conf:/site.conf:ro"]},
            "api": {"image": host.image("api", str(self.versions))},
            "store": {"image": host.image("store", "1"), "volumes": ["data:/data"]},
        }

    def push(self, behaviour="serve"):
        """Pushes a version with an image and a mounted file of its own."""
        self.versions += 1
        version = str(self.versions)
        self.host.push("api", version, version=version, behaviour=behaviour, health=False)
        return self.stack.push(self.services(), {"site.conf": f"version {version}\n"},
                               message=f"Version {version}")

    def wait_end(self, number, outcome):
        """Waits until the deployment is over and the stack at rest, and returns the release."""
        def ended():
            status = self.stack.status()
            assert status["deployment"] is None and status["state"] in ("synced", "failed"), status
            release = self.stack.release(number)
            if release["outcome"] not in ("in_progress", outcome):
                raise real.PartFailed(f"release {number} is {release['outcome']}: "
                                      f"{release['failure']}")
            assert release["outcome"] == outcome, release["outcome"]
            return release
        return self.host.wait(ended, f"release {number} is {outcome}")

    def assert_complete(self, number):
        """All that there is belongs to this release: containers, checkout, link, status."""
        stack = self.stack
        release = stack.release(number)
        containers = stack.containers()
        assert {service: len(found) for service, found in containers.items()} == {
            "web": 1, "api": 1, "store": 1}
        for service, pinned in release["images"].items():
            assert containers[service][0]["State"]["Running"], service
            assert pinned.partition("@")[2] in stack.running_digest(service), service
        assert stack.container("store")["Id"] == self.store
        assert stack.execute("store", "cat", "/data/starts") == "1"
        commit = release["commit"]
        for path in stack.git("ls-tree", "-r", "--name-only", commit).splitlines():
            assert (stack.directory / path).read_text().strip() == stack.git(
                "show", f"{commit}:{path}"), path
        assert stack.execute("web", "cat", "/site.conf") == stack.git("show", f"{commit}:site.conf")
        assert os.readlink(self.host.state / "shop/current") == f"releases/{number}"
        assert self.stack.in_flight() is None
        status = stack.status()
        assert (status["release"], status["commit"]) == (number, commit)
        assert (status["healthy"], status["services"], status["drift"]) == (3, 3, [])


@pytest.fixture(scope="module")
def long_lived_shop(parts, tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("host"), parts.engine, parts.registry)
    try:
        yield Shop(host)
    finally:
        host.close()


@pytest.fixture
def shop(request, long_lived_shop):
    """Its daemon is not running, and does not after the test."""
    request.node.hosts = [long_lived_shop.host]
    yield long_lived_shop
    if long_lived_shop.host.daemon is not None:
        long_lived_shop.host.stop()


def test_every_point_where_the_daemon_can_be_killed_is_tried():
    found = set()
    for file in (ROOT / "agent").rglob("*.cpp"):
        found.update(re.findall(r'failpoint\("([a-z_:]+)"\)', file.read_text()))
    enum = re.search(r"enum class Phase \{(.*?)\};", (ROOT / "agent/model/deployment.hpp").read_text(),
                     re.DOTALL).group(1)
    phases = re.findall(r"^\s*([a-z_]+),", enum, re.MULTILINE)
    assert phases == [*FORWARD, *DONE, *BACK]
    found.update(f"{phase}:{moment}" for phase in phases for moment in ("begun", "performed"))
    tried = {point for points in (*GOOD.values(), *BAD.values()) for point in points}
    assert found == tried | set(test_rolling.KILL_POINTS)


def kill_at_each(shop, points, push):
    """Pushes, and has the daemon killed at each of the points; then starts it to stay."""
    for point in points:
        shop.host.start(wait=point == points[0], TRIMTAB_KILL_AT=point)
        if point == points[0]:
            push()
        assert shop.host.wait_killed() == -signal.SIGKILL, point
    shop.host.start()


@pytest.mark.parametrize("points", GOOD.values(), ids=GOOD)
def test_a_good_push_is_deployed_although_the_daemon_is_killed(shop, points):
    kill_at_each(shop, points, shop.push)
    number = shop.stack.releases()[0]["number"]
    release = shop.wait_end(number, "good")
    assert release["commit"] == shop.stack.git("rev-parse", "HEAD")
    assert release["failure"] is None
    assert {entry["phase"] for entry in release["timeline"]} == {*FORWARD, *DONE}
    assert shop.stack.releases()[0]["number"] == number
    shop.assert_complete(number)
    shop.good = number


@pytest.mark.parametrize("points", BAD.values(), ids=BAD)
def test_a_bad_push_is_rolled_back_although_the_daemon_is_killed(shop, points):
    kill_at_each(shop, points, lambda: shop.push(behaviour="exit 5 0"))
    number = shop.stack.releases()[0]["number"]
    release = shop.wait_end(number, "rolled_back")
    assert release["failure"]["phase"] == "gating"
    assert release["failure"]["reason"].startswith("api exited with 5")
    assert {entry["phase"] for entry in release["timeline"]} == {*FORWARD, *BACK}
    assert shop.stack.releases()[0]["number"] == number
    shop.assert_complete(shop.good)


def test_a_push_that_a_kill_left_behind_gives_way_to_the_next_one(shop):
    host, stack = shop.host, shop.stack
    host.start(TRIMTAB_KILL_AT="release:saved")
    shop.push()
    assert host.wait_killed() == -signal.SIGKILL
    shop.push()
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    newest, left = stack.releases()[:2]
    assert (newest["outcome"], left["outcome"]) == ("good", "superseded")
    shop.assert_complete(newest["number"])
    shop.good = newest["number"]


def test_a_phase_that_kills_the_daemon_each_time_is_given_up(shop):
    host, stack = shop.host, shop.stack
    host.start(TRIMTAB_KILL_AT="gating:begun")
    shop.push()
    kills = 0
    while kills < 5 and host.daemon is not None:
        assert host.wait_killed() == -signal.SIGKILL
        kills += 1
        host.start(wait=kills == 3, TRIMTAB_KILL_AT="gating:begun")
        if kills == 3:
            break
    number = stack.releases()[0]["number"]
    release = shop.wait_end(number, "rolled_back")
    assert release["failure"]["reason"] == "trimtabd was killed 3 times in phase gating"
    assert [e["phase"] for e in release["timeline"]].count("gating") == 3
    shop.assert_complete(shop.good)
    # It is not tried again, also not by a daemon that has just started.
    host.stop()
    host.start()
    stack.wait_polls()
    assert stack.releases()[0]["number"] == number
    shop.assert_complete(shop.good)


def test_an_orderly_stop_in_any_phase_is_quick_and_the_next_start_goes_on(shop):
    host, stack = shop.host, shop.stack

    def stop_in_each(phases, push):
        for position, phase in enumerate(phases):
            host.start()
            if position == 0:
                push()
            elif stack.in_flight() is None:
                break
            with contextlib.closing(Events(host.socket, "/v1/events?recent=1000")) as events:
                events.wait(lambda e: e["event"] == "phase" and e["phase"] in phases[position:],
                            phase)
            begun = time.monotonic()
            host.stop()
            assert time.monotonic() - begun < 15, phase
        assert position >= len(phases) - 2
        if host.daemon is None:
            host.start()

    stop_in_each([*FORWARD, *DONE], shop.push)
    number = stack.releases()[0]["number"]
    shop.wait_end(number, "good")
    shop.assert_complete(number)
    shop.good = number
    host.stop()
    stop_in_each(BACK, lambda: shop.push(behaviour="exit 5 0"))
    number = stack.releases()[0]["number"]
    assert shop.wait_end(number, "rolled_back")["failure"]["reason"].startswith("api exited with 5")
    shop.assert_complete(shop.good)


def kill_at_event(shop, action, push):
    """Kills the daemon as soon as the Engine tells of this, in the middle of Compose's work."""
    filters = json.dumps({"label": [f"com.docker.compose.project={shop.stack.project}"],
                          "event": [action]})
    connection = real.UnixConnection(shop.host.engine.socket)
    connection.request("GET", f"/events?filters={real.quote(filters)}")
    sock, events = connection.sock, connection.getresponse()
    push()
    assert json.loads(events.readline())["Action"] == action
    shop.host.kill()
    sock.shutdown(2)


def test_containers_that_compose_has_half_replaced_are_put_in_order(shop):
    host = shop.host
    try:
        for compose, action in (("2.26", "create"), ("1.29", "rename")):
            host.use_compose(compose)
            host.start()
            kill_at_event(shop, action, shop.push)
            host.start()
            number = shop.stack.releases()[0]["number"]
            shop.wait_end(number, "good")
            shop.assert_complete(number)
            shop.good = number
            host.stop()
    finally:
        host.use_compose("2.26")


def test_what_a_killed_daemon_leaves_running_is_ended_first(shop):
    host = shop.host
    plugin = host.folder / "tools/config/cli-plugins/docker-compose"
    original, pid_file = plugin.readlink(), host.folder / "pid"
    plugin.unlink()
    plugin.write_text(f"""#!/bin/sh
        case " $* " in *" up "*) if mkdir {host.folder}/held; then
            echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; sleep 1000
        fi ;; esac
        exec {original} "$@"\n""")
    plugin.chmod(0o755)
    try:
        host.start()
        shop.push()
        host.wait(pid_file.exists, "Compose begins")
        host.kill()
        orphan = pathlib.Path("/proc") / pid_file.read_text().strip() / "cmdline"
        assert orphan.read_bytes()
        host.start()
        # Nothing, also where nobody has asked for its exit code yet.
        assert not orphan.exists() or not orphan.read_bytes()
        number = shop.stack.releases()[0]["number"]
        shop.wait_end(number, "good")
        shop.assert_complete(number)
        shop.good = number
    finally:
        host.use_compose("2.26")


def cut(file):
    """Cuts a file off in its middle, as a crash of the host may."""
    text = file.read_text()
    file.write_text(text[:len(text) // 2])


def test_broken_and_foreign_files_are_told_of_and_set_aside(shop):
    host, stack, state = shop.host, shop.stack, shop.host.state / "shop"
    # The file that was being written when the host went down.
    host.start(TRIMTAB_KILL_AT="gating:begun")
    shop.push()
    host.wait_killed()
    (state / "deployments/.901.json.aB3dE6").write_text('{"schema": 2, "release": ')
    host.start()
    number = stack.releases()[0]["number"]
    shop.wait_end(number, "good")
    shop.assert_complete(number)
    assert stack.status()["notices"] == []
    shop.good = number
    host.trimtab("pause", "shop", "--reason", "moving house")
    host.stop()

    instances = stack.instances()
    (state / "deployments/900.json").write_text("nonsense\n")
    broken = [state / "deployments/900.json", state / f"releases/{number - 1}/release.json",
              state / "intent.json"]
    for file in broken:
        cut(file)
    # Without a copy: what was rejected is not known.
    (state / "rejected.json").write_text('{"schema": 1, "keys": [')
    (state / "rejected.json.copy").unlink(missing_ok=True)
    (state / "releases/901").mkdir()
    foreign = [state / "releases/900", state / "releases/notes.txt", state / "stranger"]
    for file in foreign:
        file.write_text("not trimtab's\n")
    host.start()
    status = stack.wait_state("paused")
    assert status["release"] == number and status["reason"] == "moving house"
    for file in [*broken, state / "rejected.json"]:
        assert any(str(file) in notice for notice in status["notices"]), (file, status["notices"])
    for file in broken:
        assert file.with_name(f"{file.name}.broken").exists()
    assert [file.read_text() for file in foreign] == ["not trimtab's\n"] * len(foreign)
    assert stack.instances() == instances
    host.stop()

    # Nobody paused it, but nobody can say what failed before: a person has to.
    intent = state / "intent.json"
    for file in (intent, intent.with_name("intent.json.copy")):
        file.write_text(file.read_text().replace('"paused": true', '"paused": false'))
    host.start()
    status = stack.wait_state("paused")
    assert f"{state}/rejected.json" in status["reason"] and "trimtab resume shop" in status["next"]
    host.trimtab("resume", "shop")
    stack.wait_state("synced")
    assert (state / "rejected.json.broken").exists()
    host.stop()

    # Even of the release that runs: what runs goes on, and is known again after a look at it.
    cut(state / f"releases/{number}/release.json")
    host.start()
    stack.wait_state("synced")
    assert any(f"releases/{number}/release.json" in n for n in stack.status()["notices"])
    assert stack.instances() == instances
    stack.wait_commit(shop.push())
    number = stack.releases()[0]["number"]
    shop.wait_end(number, "good")
    shop.assert_complete(number)
    shop.good = number


def test_a_second_daemon_on_the_same_state_is_refused(shop):
    host, stack = shop.host, shop.stack
    host.start()
    # What the test before has left may be a failed release.
    shop.good = stack.wait_commit(shop.push())["release"]
    arguments = [BUILD / "trimtabd", "--config-dir", host.config, "--state-dir", host.state]
    for socket, words in ((host.folder / "other.sock", f"another trimtabd is running with {host.state}"),
                          (host.socket, f"another trimtabd is running with {host.state}")):
        second = subprocess.run([*arguments, "--socket", socket], capture_output=True, text=True,
                                env=host.environment, timeout=30)
        assert second.returncode == 1
        assert words in second.stderr + second.stdout and "--state-dir" in second.stderr
    assert stack.status()["state"] == "synced"
    # What a killed one leaves is in nobody's way.
    host.kill()
    assert host.socket.exists()
    host.start()
    stack.wait_state("synced")
