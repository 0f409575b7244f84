"""The Docker Engine goes away and comes back."""

import http.client
import json
import subprocess

import pytest

import parts as real
from test_adoption import compose


def services(host, web="1"):
    return {
        "web": {"image": host.image("web", web), "restart": "unless-stopped"},
        "store": {"image": host.image("store", "1"), "restart": "unless-stopped",
                  "volumes": ["data:/data"]},
    }


def made_beside(host, stack):
    """A container for a service that the release does not have; returns its id."""
    (stack.directory / "tools.yaml").write_text(json.dumps({"services": {"tool": {
        "image": host.image("store", "1"), "stop_signal": "SIGKILL"}}}))
    compose(host, stack.directory, "-p", "shop", "-f", "tools.yaml", "up", "-d")
    host.wait(lambda: any(container["service"] == "tool" and container["state"] == "running"
                          for container in stack.status()["containers"]), "it is seen")
    return stack.container("tool")["Id"]


def exited(host, container):
    _, inspected = host.engine.get(f"/containers/{container}/json")
    return inspected["State"]["Status"] == "exited"


def test_the_engine_may_restart_at_any_time(own_engine, make_host):
    host = make_host(engine=own_engine)
    for version, behaviour in (("1", "serve"), ("2", "slow 3"), ("3", "serve")):
        host.push("web", version, version=version, behaviour=behaviour)
    host.push("store", "1", health=False)
    runs = host.record_compose()
    stack = host.stack("shop", services(host), gate={"timeout": "60s", "stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))

    # Nothing changed: nobody is asked but the remote.
    used = len(runs())
    stack.wait_polls(3)
    assert len(runs()) == used

    # While it is idle. What somebody has made beside the release is as Docker left it.
    tool = made_beside(host, stack)
    used = len(runs())
    ids = {service: [c["Id"] for c in found] for service, found in stack.containers().items()}
    own_engine.stop()
    status = stack.wait_state("degraded")
    assert "Docker" in status["reason"] and status["release"] == 1
    code, body = host.get("/v1/status")
    assert code == 200 and body["docker"]["error"]
    own_engine.start()
    status = stack.wait_state("synced")
    assert host.get("/v1/status")[1]["docker"]["error"] == ""
    assert {service: [c["Id"] for c in found]
            for service, found in stack.containers().items()} == ids
    assert len(runs()) == used
    assert exited(host, tool)
    host.engine.docker("update", "--restart", "unless-stopped", tool)
    host.engine.docker("start", tool)
    host.engine.docker("stop", tool)

    # What happens before the events are listened to again is noticed all the same.
    own_engine.stop()
    stack.wait_state("degraded")
    own_engine.start()
    stack.docker("rm", "web", "-f")
    status = host.wait(lambda: stack.status()["drift"] and stack.status(), "drift is told")
    assert status["drift"] == ["web: its container was removed manually"]
    host.trimtab("deploy", "shop", "--wait")
    stack.wait_state("synced")

    # While a release is judged.
    commit = stack.push(services(host, "2"))
    stack.wait_phase("gating")
    own_engine.restart()
    stack.wait_commit(commit)
    (release,) = [r for r in stack.releases() if r["commit"] == commit]
    assert release["failure"] is None
    assert stack.version("web") == "2"
    assert exited(host, tool)
    host.engine.docker("rm", tool)
    assert {service: len(found) for service, found in stack.containers().items()} == {
        "web": 1, "store": 1}

    # Killed while it is idle: it takes its containers for stopped manually then.
    ids = {service: [c["Id"] for c in found] for service, found in stack.containers().items()}
    own_engine.kill()
    stack.wait_state("degraded")
    own_engine.start()
    stack.wait_state("synced")
    for service, found in stack.containers().items():
        assert [c["Id"] for c in found] == ids[service]
        assert [c["State"]["Running"] for c in found] == [True], service

    # In the middle of Compose's work: killed, with what Compose has half done.
    filters = json.dumps({"label": ["com.docker.compose.project=shop"], "event": ["create"]})
    connection = real.UnixConnection(own_engine.socket)
    connection.request("GET", f"/events?filters={real.quote(filters)}")
    events = connection.getresponse()
    commit = stack.push(services(host, "3"))
    assert json.loads(events.readline())["Action"] == "create"
    own_engine.kill()
    try:
        events.read()
    except (OSError, http.client.HTTPException):
        pass
    own_engine.start()
    stack.wait_commit(commit)
    assert stack.version("web") == "3"
    assert {service: len(found) for service, found in stack.containers().items()} == {
        "web": 1, "store": 1}
    assert [c["Id"] for c in stack.containers()["store"]] == ids["store"]
    assert stack.execute("store", "sh", "-c", "sort -u /data/starts") == "1"


def test_a_stack_starts_without_the_engine_and_deploys_when_it_comes(own_engine, make_host):
    host = make_host(engine=own_engine)
    host.push("web", "1", health=False)
    host.push("store", "1", health=False)
    stack = host.stack("shop", services(host), gate={"timeout": "60s", "stable": "300ms"})
    own_engine.stop()
    host.start()
    status = stack.wait_state("waiting")
    assert "Docker" in status["reason"] and status["release"] is None
    own_engine.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))


@pytest.fixture
def firewall():
    """A function that flushes it; afterwards it is as before, for the other Engines here."""
    before = subprocess.run(["iptables-save"], check=True, capture_output=True).stdout

    def flush():
        for table in ("nat", "filter"):
            for what in ("-F", "-X"):
                subprocess.run(["iptables", "-t", table, what], check=True)
    yield flush
    subprocess.run(["iptables-restore"], input=before, check=True)


def test_a_firewall_that_was_flushed_rejects_nothing_and_a_restart_of_docker_mends_it(
        own_engine, make_host, firewall):
    host = make_host(engine=own_engine)
    for version in ("1", "2"):
        host.push("web", version, version=version)
    port = real.free_port()

    def services(version):
        return {"web": {"image": host.image("web", version), "restart": "always",
                        "ports": [f"127.0.0.1:{port}:8080"]}}

    stack = host.stack("shop", services("1"))
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    firewall()
    commit = stack.push(services("2"), message="Next")

    # Going back fails for the same reason, and goes on once Docker can start containers again.
    assert "iptables" in stack.wait_state("failed")["reason"]
    assert stack.release(2)["outcome"] == "in_progress"
    own_engine.restart()
    stack.wait_commit(commit, seconds=150)
    assert stack.version("web") == "2"


def test_an_engine_that_hangs_is_told_and_what_is_shown_says_how_old_it_is(own_engine, make_host):
    host = make_host(engine=own_engine)
    host.push("web", "1", health=False)
    host.push("store", "1", health=False)
    stack = host.stack("shop", services(host))
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    seen = stack.status()["observed_at"]
    with own_engine.hanging():
        status = stack.wait_state("degraded", seconds=90)
        assert "Docker" in status["reason"] and status["observed_at"] >= seen
        host.trimtab("status", "shop")
    stack.wait_state("synced", seconds=60)
    assert stack.status()["observed_at"] > status["observed_at"]
