"""Deploying: the first time, a change, and a change that does not work."""

import datetime
import json
import os
import socket
import time

import pytest

import parts as real
from host import compose_file


def shop(host, **settings):
    """A stack of three services with a volume; each image is in the registry as version 1."""
    for name in ("web", "api", "store"):
        host.push(name, "1", version="1")
    settings.setdefault("gate", {"stable": "1s"})
    return host.stack("shop", services(host), **settings)


def services(host, api="1", **more_for_api):
    return {
        "web": {"image": host.image("web", "1"), "depends_on": ["api"]},
        "api": {"image": host.image("api", api), **more_for_api},
        "store": {"image": host.image("store", "1"), "volumes": ["data:/data"]},
    }


def test_the_first_push_is_deployed_and_a_change_restarts_only_its_service(any_compose_host):
    host = any_compose_host
    stack = shop(host)
    host.start()
    status = stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert status["release"] == 1
    assert (status["healthy"], status["services"]) == (3, 3)
    assert {service: stack.version(service) for service in stack.containers()} == {
        "web": "1", "api": "1", "store": "1"}
    assert host.ask("status", "shop")["release"] == 1
    before = stack.instances()
    digest = host.push("api", "2", version="2")
    stack.wait_commit(stack.push(services(host, api="2"), message="Version 2"))
    after = stack.instances()
    assert [service for service in before if before[service] != after[service]] == ["api"]
    assert stack.running_digest("api") == [digest]
    assert stack.version("api") == "2"


def test_a_push_that_breaks_the_application_is_rolled_back(host):
    stack = shop(host)
    host.start()
    good = stack.git("rev-parse", "HEAD")
    stack.wait_commit(good)
    digest = stack.running_digest("api")
    store = stack.container("store")["Id"]
    host.push("api", "2", version="2", behaviour="needs-key")
    stack.push(services(host, api="2", restart="always"), message="Needs a key")
    release = stack.wait_outcome(2, "rolled_back")
    assert release["failure"]["cause"] == "release"
    failing = {entry["service"]: entry for entry in release["failure"]["services"]}
    assert "SECRET_KEY: field required" in "\n".join(failing["api"]["log"])

    def back():
        assert stack.running_digest("api") == digest and stack.version("api") == "1"
        return stack.status()["release"] == 1
    host.wait(back, "release 1 runs again")
    assert stack.container("store")["Id"] == store
    assert stack.execute("store", "cat", "/data/starts") == "1"

    # What failed is not tried again, what mends it is.
    mended = stack.push(services(host, api="2", environment={"SECRET_KEY": "x"}), message="Mend")
    stack.wait_commit(mended)
    assert stack.version("api") == "2"
    assert [r["outcome"] for r in stack.releases()] == ["good", "rolled_back", "good"]


def test_a_newly_pushed_image_of_a_watched_tag_is_deployed(host):
    host.push("web", "latest", version="1")
    stack = host.stack("shop", {"web": {"image": host.image("web", "latest")}})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    digest = host.push("web", "latest", version="2")
    stack.wait_outcome(2, "good")
    assert stack.running_digest("web") == [digest]
    assert stack.version("web") == "2"


def test_files_that_git_does_not_track_stay_and_fill_in_variables(host):
    host.push("web", "1")
    stack = host.stack("shop", {"web": {"image": host.image("web", "1"),
                                        "environment": {"GREETING": "${GREETING}"}}})
    stack.directory.mkdir(parents=True)
    (stack.directory / ".env").write_text("GREETING=hello\n")
    (stack.directory / ".env").chmod(0o600)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert "GREETING=hello" in stack.execute("web", "wget", "-qO-", "http://127.0.0.1:8080/env")
    assert (stack.directory / ".env").read_text() == "GREETING=hello\n"


def test_a_killed_daemon_goes_on_where_it_was(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.push("api", "2", version="2", behaviour="slow 3")
    with host.events("shop") as events:
        commit = stack.push(services(host, api="2"), message="Version 2")
        events.wait(lambda e: e["event"] == "phase" and e["phase"] == "gating", "gating")
    host.kill()
    host.start()
    stack.wait_commit(commit)
    assert stack.version("api") == "2"
    assert len(host.engine.containers(stack.project)) == 3


def test_the_daemon_stops_quickly_and_well_while_it_is_idle(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.stop()
    real.wait_until(lambda: stack.version("web") == "1", "the stack runs on without the daemon")


# -- images ----------------------------------------------------------------------------------------

def test_a_missing_image_rejects_the_commit_and_nothing_is_touched(host):
    stack = shop(host, images={"wait": "0s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    host.push("web", "2", version="2")
    host.push("store", "2", version="2")
    changed = services(host)
    for service in changed:
        changed[service]["image"] = host.image(service, "2")
    bad = stack.push(changed, message="One of three was never pushed")
    release = stack.wait_outcome(2, "rejected")
    assert f"{host.image('api', '2')} is not in the registry" in release["failure"]["reason"]
    stack.wait_polls(2)
    assert stack.instances() == runs and len(stack.releases()) == 2
    assert stack.status()["state"] == "failed"
    # Once it is there, the same commit is a good one.
    host.push("api", "2", version="2")
    stack.wait_commit(bad)
    assert {stack.version(service) for service in runs} == {"2"}


def test_an_image_that_ci_pushes_after_the_commit_is_waited_for(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    commit = stack.push(services(host, api="2"), message="Ahead of its image")
    status = stack.wait_state("waiting")
    assert host.image("api", "2") in status["reason"]
    stack.wait_polls(1)
    assert stack.instances() == runs and len(stack.releases()) == 1
    digest = host.push("api", "2", version="2")
    stack.wait_commit(commit)
    assert stack.running_digest("api") == [digest]
    assert [r["outcome"] for r in stack.releases()] == ["good", "good"]


def test_an_image_of_this_host_alone_is_used_and_not_asked_for(host):
    # Of a version of its own: an image with a child cannot be removed, and all tests share an Engine.
    host.push("web", "1", version="parent")
    host.engine.docker("pull", "-q", host.image("web", "1"))
    made = host.engine.docker("create", host.image("web", "1"))
    local = host.engine.docker("commit", "-c", "ENV VERSION=local", made, f"own{host.number}:1")
    host.engine.docker("rm", made)
    stack = host.stack("shop", {"web": {"image": f"own{host.number}:1"}})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.version("web") == "local" and stack.container("web")["Image"] == local


def test_a_container_that_runs_another_image_than_the_release_fails_it(host):
    stack = shop(host)
    host.record_compose()
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    old = stack.running_digest("api")[0]
    new = host.push("api", "2", version="2")
    # No real Compose starts another image than it is told to, so that one is made to.
    program = host.folder / "tools/config/cli-plugins/docker-compose"
    program.write_text(program.read_text().replace(
        "exec ", f"sed -i 's/{new}/{old}/' {host.state}/shop/releases/2/compose.yaml 2>&-\nexec "))
    stack.push(services(host, api="2"), message="Version 2")
    release = stack.wait_outcome(2, "rolled_back")
    assert release["failure"]["reason"].startswith("api runs a different image than the release specifies")
    assert stack.running_digest("api") == [old]


# -- what is rejected ------------------------------------------------------------------------------

def test_what_cannot_work_is_rejected_and_nothing_is_touched(any_compose_host):
    host = any_compose_host
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    live = (stack.directory / "compose.yaml").read_bytes()
    other_volume = json.loads(compose_file(services(host)))
    other_volume["volumes"]["data"] = {"labels": {"since": "2026"}}
    cases = [
        ("services:\n  web: [\n", ["compose.yaml", "line "]),
        (compose_file({"web": {"image": host.image("web", "1"), "imagee": "x"}}),
         ["Compose rejects the project", "imagee"]),
        (compose_file(services(host, environment={"KEY": "${SECRET_KEY}"})),
         ["uses the variable SECRET_KEY, and nothing sets it"]),
        (compose_file(services(host, environment={"KEY": "${SECRET_KEY:?make one}"})),
         ["requires", "SECRET_KEY" if host.compose != "1.29" else "make one"]),
        (compose_file(services(host, env_file="prod.env")),
         ["reads the env file prod.env, which is missing"]),
        (compose_file(services(host, volumes=["./certs/key.pem:/key.pem:ro"])),
         ["mounts", f"{stack.directory}/certs/key.pem, which does not exist"]),
        (json.dumps(other_volume), ["the definition of the volume data changed"]),
        ("", ["compose.yaml has no services"]),
        (compose_file({}), ["compose.yaml has no services"]),
        (None, ["the commit has no compose file"]),
    ]
    for number, (text, words) in enumerate(cases, 2):
        commit = stack.push(files={"compose.yaml": text}, message=f"Case {number}")
        release = stack.wait_outcome(number, "rejected")
        assert release["commit"] == commit
        for word in words:
            assert word in release["failure"]["reason"], (text, release["failure"])
        status = stack.wait_state("failed")
        assert release["failure"]["reason"] in status["reason"] and status["next"], text
        assert (status["release"], status["healthy"]) == (1, 3)
        assert stack.instances() == runs, text
        assert (stack.directory / "compose.yaml").read_bytes() == live, text
    stack.wait_commit(stack.push(services(host), message="As it was"))
    assert stack.instances() == runs


def test_a_port_that_something_else_holds_is_told_with_its_holder(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stack.push(services(host, ports=[f"127.0.0.1:{port}:8080"]), message="A port")
        reason = stack.wait_outcome(2, "rejected")["failure"]["reason"]
        assert f"publishes port {port}/tcp, which is held by" in reason
        assert f"(process {os.getpid()})" in reason
        # Nobody listens there, but at the same port of another address.
        elsewhere = [f"127.0.0.2:{port}:8080"]
        stack.wait_commit(stack.push(services(host, ports=elsewhere), message="An address"))
        runs = stack.instances()
    port = real.free_port()
    name = f"holder{host.number}"
    host.engine.docker("run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:8080",
                       host.image("web", "1"))
    try:
        stack.push(services(host, ports=[f"127.0.0.1:{port}:8080"]), message="Another port")
        failure = stack.wait_outcome(4, "rejected")["failure"]
        assert f"publishes port {port}/tcp, which is held by container {name}" in failure["reason"]
        assert failure["cause"] == "host"
        assert stack.instances() == runs
        # Asked to look again, it says the same, and notes it once.
        host.post("/v1/stacks/shop/check")
        stack.wait_polls()
        assert stack.release(4)["number"] == max(r["number"] for r in stack.releases())
    finally:
        host.engine.docker("rm", "-f", name)
    # Once the host is in order the same commit is deployed.
    host.post("/v1/stacks/shop/check")
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.version("web") == "1"


# -- what changes, and only that -------------------------------------------------------------------

def test_what_the_host_lacks_by_name_is_told_and_deployed_once_it_is_there(host):
    host.push("web", "1")
    web = {"image": host.image("web", "1")}
    stack = host.stack("shop", {"web": web})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    network, volume, name = (f"{kind}-of-{host.number}" for kind in ("edge", "files", "grafana"))
    files = {"compose.yaml": json.dumps({
        "services": {"web": {**web, "networks": ["default", "edge"], "volumes": ["files:/files"],
                             "container_name": name}},
        "networks": {"edge": {"external": True, "name": network}},
        "volumes": {"files": {"external": True, "name": volume}}})}
    docker = host.engine.docker
    docker("run", "-d", "--name", name, host.image("web", "1"))
    try:
        commit = stack.push(files=files, message="Needs much")
        status = stack.wait_state("failed")
        findings = stack.releases()[0]["findings"]
        messages = " ".join(finding["message"] for finding in findings)
        assert all(words in messages for words in (network, volume, name)), messages
        assert all(finding["cause"] == "host" for finding in findings)
        assert stack.instances() == before and network in status["reason"]
        docker("network", "create", network)
        docker("volume", "create", volume)
        docker("rm", "-f", name)
        stack.wait_commit(commit)
        assert stack.container("web")["Name"] == f"/{name}"
    finally:
        docker("rm", "-f", name)
        docker("network", "rm", network)
        docker("volume", "rm", volume)


def test_a_commit_of_other_files_moves_the_checkout_and_restarts_nothing(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    stack.wait_commit(stack.push(files={"docs/use.md": "Use it.\n"}, message="Write it down"))
    release = stack.release(2)
    assert release["outcome"] == "good" and release["subject"] == "Write it down"
    assert {step["action"] for step in release["plan"]} == {"none"}
    assert (stack.directory / "docs/use.md").read_text() == "Use it.\n"
    assert stack.instances() == runs


def test_a_changed_value_of_the_env_file_recreates_what_uses_it_once(host):
    host.push("web", "1")
    host.push("api", "1")
    stack = host.stack("shop", {
        "web": {"image": host.image("web", "1")},
        "api": {"image": host.image("api", "1"), "environment": {"GREETING": "${GREETING}"},
                "volumes": ["data:/data"]}})
    stack.directory.mkdir(parents=True)
    env = stack.directory / ".env"
    env.write_text("GREETING=hello\n")
    env.chmod(0o600)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    env.write_text("GREETING=s3cret\n")
    release = stack.wait_outcome(2, "good")
    assert release["cause"] == ".env changed"
    reasons = {step["service"]: step["reasons"] for step in release["plan"]}
    assert reasons == {"web": [], "api": ["environment changed: GREETING"]}
    assert "s3cret" not in json.dumps(release) + host.log.read_text()
    assert "GREETING=s3cret" in stack.execute(
        "api", "wget", "-qO-", "http://127.0.0.1:8080/env")
    assert stack.instances()["web"] == runs["web"]
    stack.wait_polls(2)
    assert stack.execute("api", "cat", "/data/starts").split() == ["1", "1"]
    assert len(stack.releases()) == 2


def test_a_changed_file_that_is_mounted_reaches_its_service_alone(host):
    host.push("web", "1")
    host.push("api", "1")

    def mounting():
        return {"web": {"image": host.image("web", "1"),
                        "volumes": ["./site.conf:/etc/site.conf:ro", "./pages:/pages:ro"]},
                "api": {"image": host.image("api", "1")}}

    stack = host.stack("shop", mounting(),
                       files={"site.conf": "one\n", "pages/index": "first\n"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    inode = (stack.directory / "site.conf").stat().st_ino
    container = stack.container("web")["Id"]
    stack.wait_commit(stack.push(files={"site.conf": "two, and longer\n"}, message="Two"))
    assert stack.execute("web", "cat", "/etc/site.conf") == "two, and longer"
    assert (stack.directory / "site.conf").stat().st_ino == inode
    after = stack.instances()
    assert after["api"] == runs["api"] and after["web"] != runs["web"]
    assert stack.container("web")["Id"] == container
    reasons = {step["service"]: step["reasons"] for step in stack.release(2)["plan"]}
    assert reasons["web"] == ["mounted file changed: site.conf"]
    # A file of a mounted folder counts, too, and going back brings the old bytes back.
    stack.wait_commit(stack.push(files={"site.conf": "x\n", "pages/index": "second\n"}))
    assert stack.execute("web", "cat", "/etc/site.conf", "/pages/index") == "x\nsecond"
    host.trimtab("rollback", "shop", "--wait")
    assert stack.execute("web", "cat", "/etc/site.conf", "/pages/index") == "two, and longer\nfirst"
    assert stack.instances()["api"] == runs["api"]


@pytest.mark.parametrize("any_compose_host", ["1.29", "2.26", "2.40"], indirect=True)
def test_a_secret_that_comes_from_another_file_reaches_its_service(any_compose_host):
    """Compose itself does not see it: the file's path is no part of the container's definition."""
    host = any_compose_host
    host.push("web", "1")

    def compose(file):
        return json.dumps({
            "services": {"web": {"image": host.image("web", "1"), "secrets": ["key"]}},
            "secrets": {"key": {"file": file}}, "version": "3.4"})

    stack = host.stack("shop", None, files={"compose.yaml": compose("./one.key"),
                                            "one.key": "one\n", "two.key": "two\n"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.execute("web", "cat", "/run/secrets/key") == "one"
    stack.wait_commit(stack.push(files={"compose.yaml": compose("./two.key")}))
    assert stack.execute("web", "cat", "/run/secrets/key") == "two"
    host.trimtab("rollback", "shop", "--wait")
    assert stack.execute("web", "cat", "/run/secrets/key") == "one"


def test_dependencies_that_must_be_healthy_start_first(any_compose_host):
    host = any_compose_host
    host.push("api", "1", behaviour="slow 2")
    host.push("web", "1")
    stack = host.stack("shop", {
        "web": {"image": host.image("web", "1"),
                "depends_on": {"api": {"condition": "service_healthy"}}},
        # Docker keeps the last five results: rare ones, so that the first good one is among them.
        "api": {"image": host.image("api", "1"), "healthcheck": {
            "test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/healthz"],
            "interval": "4s"}}}, gate={"stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    checks = stack.container("api")["State"]["Health"]["Log"]
    healthy = min(check["End"] for check in checks if check["ExitCode"] == 0)
    assert datetime.datetime.fromisoformat(stack.container("web")["State"]["StartedAt"][:26]) > \
        datetime.datetime.fromisoformat(healthy[:26])


def test_what_shares_the_network_of_another_service_goes_with_it(any_compose_host):
    host = any_compose_host
    for version, behaviour in (("1", "serve"), ("2", "serve"), ("3", "exit 1 0")):
        host.push("vpn", version, version=version, behaviour=behaviour, health=False)

    def services(version):
        return {"vpn": {"image": host.image("vpn", version), "volumes": ["./conf:/conf:ro"]},
                # What answers on its port is the other one's server.
                "app": {"image": host.image("vpn", "1"), "command": ["sleep", "3600"],
                        "stop_signal": "KILL", "network_mode": "service:vpn"}}

    stack = host.stack("shop", services("1"), {"conf": "1"}, gate={"timeout": "20s", "stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.version("app") == "1"
    # A new container, …
    stack.wait_commit(stack.push(services("2"), message="Replace"))
    assert stack.version("app") == "2"
    # … the same one started again, for a file that it mounts, …
    vpn = stack.container("vpn")["Id"]
    stack.wait_commit(stack.push(files={"conf": "2"}, message="Restart"))
    assert stack.container("vpn")["Id"] == vpn and stack.version("app") == "2"
    # … and going back.
    stack.push(services("3"), message="Break")
    assert stack.wait_outcome(4, "rolled_back")["failure"]["cause"] == "release"
    stack.wait_state("failed")
    assert stack.version("app") == "2"
    assert stack.status()["drift"] == []


def test_a_service_that_is_renamed_or_removed_goes_and_volumes_stay(host):
    port = real.free_port()
    host.push("web", "1")
    host.push("api", "1")
    web = {"image": host.image("web", "1"), "volumes": ["data:/data"],
           "ports": [f"127.0.0.1:{port}:8080"]}
    api = {"image": host.image("api", "1"), "volumes": ["cache:/data"]}
    stack = host.stack("shop", {"web": web, "api": api})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    stack.wait_commit(stack.push({"site": web, "api": api}, message="Rename"))
    assert set(stack.containers()) == {"site", "api"}
    assert stack.instances()["api"] == runs["api"]
    assert stack.execute("site", "cat", "/data/starts").split() == ["1", "1"]
    status = stack.wait_commit(stack.push({"site": web}, message="Remove"))
    assert set(stack.containers()) == {"site"}
    assert (status["healthy"], status["services"], status["drift"]) == (1, 1, [])
    volumes = host.engine.docker("volume", "ls", "-q").split()
    assert {"shop_data", "shop_cache"} <= set(volumes)


# -- operators -------------------------------------------------------------------------------------

def test_what_was_stopped_by_hand_stays_so_and_status_says_what_is(host):
    for name in ("web", "api", "store"):
        host.push(name, "1")
    host.push("store", "2", version="2")

    def policies(store):
        return {"web": {"image": host.image("web", "1"), "restart": "always"},
                "api": {"image": host.image("api", "1")},
                "store": {"image": host.image("store", store), "volumes": ["data:/data"]}}

    def told():
        """Of each container, what status says, once it agrees with what Docker says."""
        def agrees():
            status = stack.status()
            said = {c["service"]: (c["state"], c["health"], c["exit_code"], c["restarts"])
                    for c in status["containers"]}
            true = {service: (c["State"]["Status"], c["State"]["Health"]["Status"],
                              c["State"]["ExitCode"], c["RestartCount"])
                    for service, (c,) in stack.containers().items()}
            assert said == true
            return status
        return host.wait(agrees, "status says what is")

    # What is broken here by hand is to stay.
    stack = host.stack("shop", policies("1"), gate={"probation": "0s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.docker("stop", "web")
    stack.docker("kill", "api")
    status = told()
    assert (status["healthy"], status["services"]) == (1, 3)
    assert [c["service"] for c in status["containers"] if c["stopped_manually"]] == ["web"]
    stopped = stack.instances()
    commit = stack.push(policies("2"), message="Unrelated to both")
    release = stack.wait_outcome(2, "good")
    assert release["commit"] == commit and stack.version("store") == "2"
    after = stack.instances()
    assert (after["web"], after["api"]) == (stopped["web"], stopped["api"])
    assert stack.container("web")["State"]["Status"] == "exited"
    told()
    assert stack.wait_state("degraded")["reason"] == "api exited with 137"
    stack.docker("start", "api")
    host.wait(lambda: stack.status()["healthy"] == 2, "api and store are healthy", 20)
    stack.execute("store", "rm", "/www/healthz")

    def unhealthy():
        status = stack.status()
        assert status["reason"] == "store is unhealthy", status["reason"]
        return True
    host.wait(unhealthy, "store is unhealthy")
    status = told()
    assert (status["state"], status["healthy"]) == ("degraded", 1)


def test_a_pause_holds_across_a_restart_and_an_asked_for_commit_until_the_next(host):
    stack = shop(host)
    host.start()
    first = stack.git("rev-parse", "HEAD")
    stack.wait_commit(first)
    runs = stack.instances()
    host.trimtab("pause", "shop", "--reason", "the fair")
    host.push("api", "2", version="2")
    second = stack.push(services(host, api="2"), message="Version 2")
    stack.wait_polls(2)
    host.stop()
    host.start()
    stack.wait_polls(2)
    status = stack.status()
    assert (status["state"], status["reason"]) == ("paused", "the fair")
    assert status["git"]["commit"] == second and stack.instances() == runs
    assert "paused" in host.trimtab("deploy", "shop", code=1).stderr
    host.trimtab("resume", "shop")
    stack.wait_commit(second)
    assert stack.version("api") == "2"

    host.trimtab("deploy", "shop", "--commit", first[:10], "--wait")
    assert stack.version("api") == "1" and stack.status()["commit"] == first
    stack.wait_polls(2)
    host.stop()
    host.start()
    stack.wait_polls(2)
    status = stack.status()
    assert status["state"] == "synced" and second[:7] in status["reason"]
    assert stack.version("api") == "1"
    assert "no commit" in host.trimtab("deploy", "shop", "--commit", "0badc0de", "--wait",
                                       code=1).stdout
    host.push("api", "3", version="3")
    stack.wait_commit(stack.push(services(host, api="3"), message="Version 3"))
    assert stack.version("api") == "3"


# -- data ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("any_compose_host", ["1.29", "2.40"], indirect=True)
def test_no_volume_is_ever_removed_and_no_child_can_be_asked(any_compose_host):
    host = any_compose_host
    runs = host.record_compose()
    since = time.time()
    extra = {"image": host.image("web", "1"), "volumes": ["extra:/data", "/anonymous"]}

    def with_extra(**changes):
        return {**services(host), "extra": {**extra, **changes}}

    for name in ("web", "api", "store"):
        host.push(name, "1", version="1")
    host.push("api", "2", version="2", behaviour="exit 1 0", health=False)
    stack = host.stack("shop", with_extra(), gate={"stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.execute("extra", "touch", "/anonymous/kept")
    stack.wait_commit(stack.push(with_extra(environment={"A": "1"}), message="Recreated"))
    assert stack.execute("extra", "ls", "/anonymous") == "kept"
    stack.push({**with_extra(environment={"A": "2"}), "api": {"image": host.image("api", "2")}},
               message="Broken")
    stack.wait_outcome(3, "rolled_back")
    stack.wait_state("failed")
    stack.wait_commit(stack.push(services(host), message="Removed"))
    host.trimtab("rollback", "shop", "--wait")
    assert stack.execute("extra", "cat", "/data/starts").split() == ["1"] * 5
    _, text = host.engine.get(f"/events?since={since:.9f}&until={time.time():.9f}")
    happened = [json.loads(line) for line in text.splitlines()]
    assert not [e for e in happened if e["Action"] == "prune" or
                (e["Type"] == "volume" and e["Action"] == "destroy")]
    commands = [run["argv"] for run in runs()]
    assert {"config", "up"} <= {word for argv in commands for word in argv}
    forbidden = {"down", "rm", "-v", "--volumes", "-V", "--renew-anon-volumes", "-y", "--yes"}
    assert not [argv for argv in commands if forbidden & set(argv)]
    assert {run["stdin"] for run in runs()} == {"/dev/null"}
