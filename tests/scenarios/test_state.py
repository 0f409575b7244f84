"""What becomes of stacks whose state or configuration cannot be read or written."""

import errno
import json
import shutil
import signal
import subprocess

import pytest


def web(host, version):
    return {"web": {"image": host.image("web", version)}}


def push_images(host):
    for version, behaviour in (("1", "serve"), ("2", "serve"), ("3", "exit 4 0")):
        host.push("web", version, version=version, behaviour=behaviour, health=False)


class FewInodes:
    """The state directory on a disk that can be filled with files."""

    def __init__(self, folder):
        self.filler = folder / "filler"

    def fill(self):
        self.filler.mkdir()
        try:
            for number in range(10_000):
                (self.filler / str(number)).touch()
        except OSError as error:
            assert error.errno == errno.ENOSPC
            return
        raise AssertionError("the disk has more inodes than it should")

    def free(self):
        shutil.rmtree(self.filler)


@pytest.fixture
def few_inodes(host):
    host.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=3000", "tmpfs", host.state],
                   check=True)
    yield FewInodes(host.state)
    subprocess.run(["umount", "--lazy", host.state], check=True)


def test_the_first_start_may_be_on_a_full_disk(host, few_inodes):
    push_images(host)
    stack = host.stack("shop", web(host, "1"), gate={"timeout": "20s", "stable": "3s"})
    few_inodes.fill()
    host.start()
    status = stack.wait_state("failed")
    assert "No space left on device" in status["reason"], status
    few_inodes.free()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))


def test_an_end_that_cannot_be_written_is_written_later(host, few_inodes):
    push_images(host)
    stack = host.stack("shop", web(host, "1"), gate={"timeout": "20s", "stable": "3s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.push(web(host, "2"))
    stack.wait_phase("gating")
    few_inodes.fill()

    def is_told():
        status = stack.wait_state("waiting")
        assert "how release 2 ended cannot be recorded" in status["reason"], status["reason"]
        assert "No space left on device" in status["reason"] and status["deployment"] is None
        return status
    host.wait(is_told, "it is told that the end cannot be written")
    # Nothing else is begun meanwhile, nor after a start, which needs no inode either.
    stack.push(web(host, "3"))
    stack.wait_polls()
    host.stop()
    host.start()
    assert "No space left on device" in stack.wait_state("waiting")["reason"]
    assert [release["number"] for release in stack.releases()] == [2, 1]
    assert stack.version("web") == "2"
    few_inodes.free()
    stack.wait_outcome(2, "good")
    # What failed next goes back to it, not to the one before.
    stack.wait_outcome(3, "rolled_back")
    assert stack.wait_state("failed")["release"] == 2
    assert stack.version("web") == "2"


def test_a_stack_that_cannot_be_opened_keeps_no_other_from_its_work(host):
    push_images(host)
    shop, blog = (host.stack(name, web(host, "1"), gate={"timeout": "20s", "stable": "300ms"})
                  for name in ("shop", "blog"))
    host.start()
    for stack in (shop, blog):
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
    instances = blog.instances()
    host.stop()
    state = host.state / "blog"
    state.rename(host.state / "blog-elsewhere")
    state.write_text("not a directory\n")
    host.start()
    shop.wait_commit(shop.push(web(host, "2")))
    status = blog.status()
    assert status["state"] == "failed" and str(state) in status["reason"]
    assert "retried in" in status["next"]
    listed = host.get("/v1/status")[1]["stacks"]
    assert [stack["name"] for stack in listed] == ["blog", "shop"]
    code, problem = host.get("/v1/stacks/blog/plan")
    assert code == 503 and str(state) in problem["detail"]
    assert blog.instances() == instances
    state.unlink()
    (host.state / "blog-elsewhere").rename(state)
    assert blog.wait_state("synced")["release"] == 1
    assert blog.instances() == instances


def test_with_a_mistake_in_trimtab_yaml_nothing_is_changed(host):
    push_images(host)
    stack = host.stack("shop", web(host, "1"), gate={"timeout": "20s", "stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    instances = stack.instances()
    host.stop()
    commit = stack.push(web(host, "2"))
    right = dict(host.daemon_settings)
    host.daemon_settings["log"] = {"level": "loud"}
    host.start()
    status = stack.status()
    assert status["state"] == "failed"
    assert f"{host.config}/trimtab.yaml:1:" in status["reason"] and '"loud"' in status["reason"]
    assert "trimtab check" in status["next"] and "reload" in status["next"]
    # Its docker: is another than the default, by which the daemon has begun.
    (host.config / "trimtab.yaml").write_text(json.dumps(right))
    host.reload()

    def is_corrected():
        assert "take effect when trimtabd is restarted" in stack.status()["reason"]
        return True
    host.wait(is_corrected, "the corrected file is read")
    assert stack.instances() == instances
    host.stop()
    host.daemon_settings = right
    host.start()
    stack.wait_commit(commit)


def test_a_directory_of_stacks_that_is_gone_drops_no_stack(host):
    push_images(host)
    stack = host.stack("shop", web(host, "1"), gate={"timeout": "20s", "stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stacks, elsewhere = host.config / "stacks.d", host.config / "elsewhere"
    stacks.rename(elsewhere)
    host.daemon.child.send_signal(signal.SIGHUP)

    def is_told():
        problems = "".join(host.get("/v1/status")[1]["problems"])
        assert f"{stacks} is missing" in problems and "stays as it was" in problems
        return True
    host.wait(is_told, "the reload is over")
    stack.wait_commit(stack.push(web(host, "2")))
    elsewhere.rename(stacks)
    host.reload()
    host.wait(lambda: host.get("/v1/status")[1]["problems"] == [], "the stacks are read again")
    assert stack.status()["state"] == "synced"


def write_as_schema_1(state):
    """Makes of a stack's state what earlier versions have written for the same."""
    deployments = [json.loads(file.read_text())
                   for file in sorted((state / "deployments").iterdir(), key=lambda f: int(f.stem))]
    for file in [*state.glob("releases/*/release.json"), *state.glob("*.json"),
                 *state.glob("*.json.copy")]:
        written = json.loads(file.read_text())
        if file.name == "release.json":
            newest = [d for d in deployments if d["release"] == written["number"]][-1]
            ran = [d["ran"] for d in deployments if d["ran"]["release"] == written["number"]][-1]
            for name in ("outcome", "previous", "cause", "plan", "findings", "notices", "timeline",
                         "failure", "hooks", "probation_until"):
                written[name] = newest[name]
            written["seen"] = {name: service["containers"]
                               for name, service in ran["services"].items()}
            written["jobs"], written["tries"] = [], 1
        file.write_text(json.dumps({**written, "schema": 1}))
    shutil.rmtree(state / "deployments")


def test_state_of_schema_1_is_taken_over_as_it_is(host):
    push_images(host)
    stack = host.stack("shop", web(host, "1"), gate={"timeout": "20s", "stable": "300ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.wait_commit(stack.push(web(host, "2")))
    host.trimtab("pause", "shop", "--reason", "moving house")
    host.stop()
    instances, state = stack.instances(), host.state / "shop"
    before = [json.loads(file.read_text())["content_key"]
              for file in sorted(state.glob("releases/*/release.json"))]
    write_as_schema_1(state)
    host.start()
    status = stack.wait_state("paused")
    assert (status["release"], status["reason"]) == (2, "moving house")
    assert status["notices"] == [], status["notices"]
    host.trimtab("resume", "shop")
    stack.wait_state("synced")
    assert stack.instances() == instances
    assert [json.loads(file.read_text())["content_key"]
            for file in sorted(state.glob("releases/*/release.json"))] == before

    # The way back is known, too. How the release was deployed before it was gone back to stays.
    host.trimtab("rollback", "shop", "--wait")
    assert stack.version("web") == "1"
    release = stack.release(1)
    assert [(d["kind"], d["outcome"], d["cause"]) for d in release["deployments"]] == [
        ("deploy", "good", "first deployment"),
        ("operator_rollback", "good", "an operator rolled back to it")]
    assert all(d["timeline"] for d in release["deployments"])
    assert "operator rollback" in host.trimtab("show", "shop", "1").stdout
    assert stack.release(2)["outcome"] == "rolled_back"
