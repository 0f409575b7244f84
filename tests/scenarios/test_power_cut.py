"""The power is cut at random moments of deployments, and trimtab resuming what the disk has.

As a program, for more than the few cuts of each run of the tests:

    tests/lib/isolated python3 -m pytest tests/scenarios/test_power_cut.py --cuts 200 --seed 7 -s
"""

import contextlib
import os
import random
import signal
import time

import parts as real
import pytest
from disk import MOUNT_OPTIONS, Disk, freeze

SERVICES = {"web", "api", "store"}
PHASES = ["pulling", "switching", "starting", "gating", "committing", "rolling_back",
          "gating_rollback"]
ENDED = ("good", "rolled_back", "failed", "rejected", "superseded")


class Shop:
    """A stack on a disk of its own, and what was promised of it so far."""

    def __init__(self, host, disk, dice):
        self.host, self.disk, self.dice = host, disk, dice
        for name in ("web", "store"):
            host.push(name, "1", health=False)
        self.versions = 0
        self.stack = host.stack("shop", gate={"timeout": "15s", "stable": "300ms"})
        self.is_good = True  # what Git has
        self.goes_back = False  # an operator has asked for that, and it was not pushed since
        self.paused = False
        self.told = {}  # releases, as the daemon told of them just before the cut
        self.store = None  # the id of its container, once it was seen
        self.cuts = 0
        self.push("serve")
        host.start()
        self.check()

    # -- what happens ------------------------------------------------------------------------------

    def push(self, behaviour, restart="unless-stopped"):
        """Pushes a version with an image, a setting and files of its own."""
        self.versions += 1
        version = str(self.versions)
        self.host.push("api", version, version=version, behaviour=behaviour, health=False)
        always = {"restart": "unless-stopped"}
        services = {
            "web": {"image": self.host.image("web", "1"),
                    "volumes": ["./site.conf:/site.conf:ro"], **always},
            "api": {"image": self.host.image("api", version), "environment": {"N": version},
                    "restart": restart},
            "store": {"image": self.host.image("store", "1"), "volumes": ["data:/data"], **always},
        }
        files = {"site.conf": f"version {version}\n" * 100}
        files |= {f"pages/{page}.txt": f"page {page} of {version}\n"
                  for page in range(self.dice.randint(1, 30))}
        files |= {f"pages/of-{version}.txt": "new\n"}
        if self.versions > 1:
            files |= {f"pages/of-{self.versions - 1}.txt": None}
        self.head = self.stack.push(services, files, message=f"Version {version}")

    def good_push(self):
        self.push("serve")
        self.is_good, self.goes_back = True, False

    def bad_push(self):
        # Seen at once; only when it is given up; only on probation.
        self.push(*self.dice.choice([("exit 5 0", "no"), ("exit 5 0.2", "no"), ("exit 5 0",),
                                     ("exit 5 0.5",)]))
        self.is_good, self.goes_back = False, False

    def go_back(self):
        code, answer = self.host.post("/v1/stacks/shop/rollback")
        assert code in (202, 409), answer
        self.goes_back = self.goes_back or code == 202

    def pause(self):
        assert self.host.post("/v1/stacks/shop/pause", {"reason": "moving"})[0] == 202
        self.paused = True

    def resume(self):
        assert self.host.post("/v1/stacks/shop/resume")[0] == 202
        self.paused = False

    def pause_and_push(self):
        self.pause()
        self.good_push()

    def pause_late(self):
        self.good_push()
        self.host.post("/v1/stacks/shop/check")
        time.sleep(self.dice.uniform(0, 3))
        self.pause()

    def nothing(self):
        pass

    def begin_anew(self):
        """The first deployment of all."""
        self.host.stop()
        self.host.engine.remove_project(self.stack.project)
        self.disk.replace(self.disk.format(), self.dice.choice(MOUNT_OPTIONS))
        self.good_push()
        self.told, self.store = {}, None
        self.host.start()

    # -- the cut -----------------------------------------------------------------------------------

    def wait_a_moment(self):
        """Until some moment of the deployment that has just been asked for."""
        self.host.post("/v1/stacks/shop/check")
        if self.dice.random() < 0.5:
            moment = self.dice.uniform(0, 5)
            time.sleep(moment)
            return f"after {moment:.2f} s"
        phase = self.dice.choice(PHASES)
        wait = self.dice.choice([0, self.dice.uniform(0, 0.1), self.dice.uniform(0, 0.5)])
        with contextlib.suppress(real.PartFailed):
            self.stack.wait_phase(phase, seconds=5)
        time.sleep(wait)
        return f"{wait:.3f} s after {phase}"

    def note_what_was_told(self):
        self.told = {release["number"]: release for release in self.stack.releases()}

    def cut(self):
        """Cuts the power: of trimtab's disk alone, or of the whole host."""
        self.note_what_was_told()
        processes = freeze(self.host.daemon.child.pid)
        image = self.disk.copy()
        self.host.kill()
        for process in processes[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        engine = self.host.engine
        all_stop = self.dice.random() < 0.5
        docker_first = self.dice.random() < 0.7
        if all_stop:
            engine.lose_power()
        self.disk.replace(image, self.dice.choice(MOUNT_OPTIONS))
        if all_stop and docker_first:
            engine.start()
        self.host.start()
        if all_stop and not docker_first:
            engine.start()
        self.cuts += 1
        return "containers too" if all_stop else "containers run on"

    # -- what holds then ---------------------------------------------------------------------------

    def settle(self):
        """Waits until what is wanted runs, and returns the release's number."""
        stack = self.stack
        if self.paused:
            status = stack.wait_state("paused")
            assert status["reason"] == "moving", status
            self.resume()
        stack.wait_polls(1)

        def at_rest():
            status = stack.status()
            assert status["deployment"] is None, status["deployment"]
            assert status["state"] in ("synced", "failed"), (status["state"], status["reason"])
            assert status["git"]["commit"] == self.head
            runs_head = status["commit"] == self.head
            if self.is_good and not self.goes_back:
                assert runs_head and status["state"] == "synced", status
            elif not self.is_good:
                assert not runs_head and status["state"] == "failed", status
            return status
        return self.host.wait(at_rest, "what is wanted runs")["release"]

    def check(self):
        number = self.settle()
        stack = self.stack
        release = stack.release(number)
        commit = release["commit"]
        assert release["outcome"] == "good", release
        # Never mixed.
        containers = stack.containers()
        assert {service: len(found) for service, found in containers.items()} == dict.fromkeys(
            SERVICES, 1)
        for service, pinned in release["images"].items():
            assert containers[service][0]["State"]["Running"], (service, containers[service])
            assert pinned.partition("@")[2] in stack.running_digest(service), service
        listed = stack.git("ls-tree", "-r", "--name-only", commit).splitlines()
        for path in listed:
            assert (stack.directory / path).read_text().strip() == stack.git(
                "show", f"{commit}:{path}"), path
        pages = {f"pages/{page.name}" for page in (stack.directory / "pages").iterdir()}
        assert pages == {path for path in listed if path.startswith("pages/")}
        assert stack.execute("web", "cat", "/site.conf") == stack.git("show", f"{commit}:site.conf")
        # No data lost, nothing replaced that did not change.
        if self.store is None:
            stack.execute("store", "sh", "-c", "echo precious > /data/mark")
            self.store = stack.container("store")["Id"]
        assert stack.execute("store", "cat", "/data/mark") == "precious"
        assert stack.container("store")["Id"] == self.store
        # Status is true.
        state = self.host.state / "shop"
        assert os.readlink(state / "current") == f"releases/{number}"
        assert stack.in_flight() is None
        status = stack.status()
        assert (status["release"], status["commit"]) == (number, commit)
        assert (status["healthy"], status["services"], status["drift"]) == (3, 3, [])
        assert status["notices"] == [], status["notices"]
        # What was told is so, and nothing is tried twice.
        releases = {r["number"]: r for r in stack.releases()}
        for told_number, told in self.told.items():
            if told_number < min(releases):
                continue
            now = releases[told_number]
            assert now["commit"] == told["commit"]
            if told["outcome"] not in ENDED:
                assert now["outcome"] in ENDED, now
            elif now["outcome"] != told["outcome"]:
                # By an operator, or on probation.
                may = self.goes_back or (told["commit"] == self.head and not self.is_good)
                assert may and told["outcome"] == "good", (told, now)
        # But for what the host was the cause of: Docker that did not answer yet.
        tried = [r["commit"] for r in releases.values()
                 if not r["failure"] or r["failure"]["cause"] == "release"]
        assert len(tried) == len(set(tried)), releases
        # The files are whole.
        assert not list(self.host.state.rglob("*.broken*"))
        for repository in (state / "repo.git", stack.directory / ".git"):
            self.stack.git(f"--git-dir={repository}", "fsck", "--strict", "--no-dangling")
        # Without having Git write what it finds into its index, and none of it synced.
        assert stack.git("--no-optional-locks", f"--git-dir={stack.directory}/.git",
                         f"--work-tree={stack.directory}", "status", "--porcelain") == ""
        assert stack.git(f"--git-dir={stack.directory}/.git", "rev-parse", "HEAD") == commit


@pytest.fixture
def shop(request, own_engine, make_host, tmp_path):
    seed = request.config.getoption("--seed")
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
    print(f"--seed {seed}")
    host = make_host(engine=own_engine)
    disk = Disk(tmp_path / "disk", [host.state, host.folder / "srv"])
    try:
        yield Shop(host, disk, random.Random(seed))
    finally:
        if host.daemon is not None and host.daemon.running():
            host.stop()
        disk.close()


def test_a_power_cut_loses_nothing_that_was_promised(request, shop):
    cuts = request.config.getoption("--cuts")
    while shop.cuts < cuts:
        action = shop.dice.choice([
            *[shop.good_push] * 4, *[shop.bad_push] * 3, *[shop.go_back] * 2,
            shop.pause_and_push, shop.pause_late, shop.begin_anew, shop.nothing])
        begun = time.monotonic()
        action()
        moment = shop.wait_a_moment()
        how = [shop.cut()]
        if shop.dice.random() < 0.2:
            time.sleep(shop.dice.uniform(0, 2))
            how.append(shop.cut())
        print(f"cut {shop.cuts}: {action.__name__}, {moment}, {', '.join(how)}", end="",
              flush=True)
        shop.check()
        print(f": release {shop.stack.status()['release']}, "
              f"{time.monotonic() - begun:.1f} s", flush=True)
