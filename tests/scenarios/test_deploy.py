"""Deploying: the first time, a change, and a change that does not work."""

import parts as real


def shop(host, **settings):
    """A stack of three services with a volume; each image is in the registry as version 1."""
    for name in ("web", "api", "store"):
        host.push(name, "1", version="1")
    return host.stack("shop", services(host), **settings)


def services(host, api="1", **more_for_api):
    return {
        "web": {"image": host.image("web", "1"), "depends_on": ["api"]},
        "api": {"image": host.image("api", api), **more_for_api},
        "store": {"image": host.image("store", "1"), "volumes": ["data:/data"]},
    }


def test_the_first_push_is_deployed(any_compose_host):
    host = any_compose_host
    stack = shop(host)
    host.start()
    status = stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert status["release"] == 1
    assert (status["healthy"], status["services"]) == (3, 3)
    assert {service: stack.version(service) for service in stack.containers()} == {
        "web": "1", "api": "1", "store": "1"}
    assert host.ask("status", "shop")["release"] == 1


def test_a_changed_image_restarts_only_its_service(any_compose_host):
    host = any_compose_host
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = {service: stack.container(service)["Id"] for service in ("web", "api", "store")}
    digest = host.push("api", "2", version="2")
    stack.wait_commit(stack.push(services(host, api="2"), message="Version 2"))
    after = {service: stack.container(service)["Id"] for service in ("web", "api", "store")}
    assert [service for service in before if before[service] != after[service]] == ["api"]
    assert stack.running_digest("api") == [digest]
    assert stack.version("api") == "2"


def test_a_push_that_breaks_the_application_is_rolled_back(any_compose_host):
    host = any_compose_host
    stack = shop(host)
    host.start()
    good = stack.git("rev-parse", "HEAD")
    stack.wait_commit(good)
    digest = stack.running_digest("api")
    store = stack.container("store")["Id"]
    host.push("api", "2", version="2", behaviour="needs-key")
    stack.push(services(host, api="2", restart="always"), message="Needs a key")
    release = stack.wait_outcome(2, "rolled_back")
    assert release["failure"]["class"] == "content"
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
