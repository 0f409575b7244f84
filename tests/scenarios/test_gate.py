"""The gate: what counts as working, and what does not."""

import http.client

import pytest

import parts as real


def services(host, web="1", api="1", **more_for_api):
    return {"web": {"image": host.image("web", web)},
            "api": {"image": host.image("api", api), **more_for_api}}


def deployed(host, **settings):
    """A stack of two services whose first release runs."""
    settings.setdefault("gate", {"timeout": "20s", "stable": "2s"})
    host.push("web", "1")
    host.push("api", "1")
    stack = host.stack("shop", services(host), **settings)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    return stack


def the_failing(release):
    return {entry["service"]: entry for entry in release["failure"]["services"]}


def test_what_does_not_work_is_rolled_back(host):
    stack = deployed(host)
    web = stack.instances()["web"]
    image = stack.container("api")["Image"]
    no_health = {"healthcheck": {"disable": True}}
    cases = [
        # "unhealthy" has "healthy" in it.
        ("unhealthy", {}, "unhealthy"),
        # It runs for a second, each time it is looked at with luck.
        # "exited with 7, 3 times in", or "ended 3 times in" where it runs again already.
        ("exit 7 1", {"restart": "always", **no_health}, " times in "),
        # Docker never says "exited" of it, nor any code but 0.
        ("exit 0 1", {"restart": "always", **no_health}, " times in "),
        ("exit 3 1", no_health, "exited with 3"),
    ]
    for number, (behaviour, more, words) in enumerate(cases, 2):
        host.push("api", str(number), version=str(number), behaviour=behaviour)
        stack.push(services(host, api=str(number), **more), message=behaviour)
        release = stack.wait_outcome(number, "rolled_back")
        assert release["failure"]["cause"] == "release", behaviour
        assert release["failure"]["phase"] == "gating", behaviour
        assert words in release["failure"]["reason"], behaviour
        assert list(the_failing(release)) == ["api"], behaviour
        log = "\n".join(the_failing(release)["api"]["log"])
        assert f"version {number}, {behaviour}" in log
        status = stack.wait_state("failed")
        assert status["release"] == 1 and f"release {number}" in status["reason"], behaviour
        assert stack.container("api")["Image"] == image, behaviour
        assert stack.instances()["web"] == web, behaviour
    assert stack.version("api") == "1"


def test_without_a_healthcheck_running_on_for_a_while_is_enough(host):
    host.push("web", "1", health=False)
    stack = host.stack("shop", {"web": {"image": host.image("web", "1")}},
                       gate={"timeout": "20s", "stable": "2s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    gating = [entry for entry in stack.release(1)["timeline"] if entry["phase"] == "gating"]
    assert len(gating) == 1 and gating[0]["seconds"] >= 2


def test_one_service_that_fails_takes_the_whole_release_back(host):
    stack = deployed(host)
    digests = {service: stack.running_digest(service) for service in ("web", "api")}
    host.push("web", "2", version="2")
    host.push("api", "2", version="2", behaviour="exit 1 1", health=False)
    before = stack.instances()["web"]
    stack.push(services(host, web="2", api="2"), message="Both")
    assert stack.wait_outcome(2, "rolled_back")["failure"]["phase"] == "gating"
    assert stack.instances()["web"] != before  # it had been replaced
    assert {service: stack.running_digest(service) for service in ("web", "api")} == digests
    assert (stack.version("web"), stack.version("api")) == ("1", "1")
    assert len(host.engine.containers(stack.project)) == 2


def test_a_first_release_that_fails_is_left_and_says_that_there_is_none_to_go_back_to(host):
    host.push("web", "1")
    host.push("api", "1", behaviour="exit 1 0", health=False)
    stack = host.stack("shop", services(host), gate={"timeout": "20s", "stable": "1s"})
    host.start()
    release = stack.wait_outcome(1, "failed")
    assert "api exited with 1" in release["failure"]["reason"]
    status = stack.wait_state("failed")
    assert "there is nothing to roll back to" in status["reason"]
    left = stack.instances()
    assert stack.version("web") == "1" and set(left) == {"web", "api"}
    stack.wait_polls(2)
    assert stack.instances() == left and len(stack.releases()) == 1
    # So said by the command, too.
    refused = host.trimtab("rollback", "shop", code=1)
    assert "no earlier good release" in refused.stderr
    # What mends it is the first good one.
    host.push("api", "2", version="2")
    stack.wait_commit(stack.push(services(host, api="2"), message="Mend"))
    assert stack.version("api") == "2"
    assert [r["outcome"] for r in stack.releases()] == ["good", "failed"]


def test_a_probe_through_a_published_port_has_its_say(host):
    port = real.free_port()
    published = {"ports": [f"127.0.0.1:{port}:8080"]}
    host.push("web", "1")
    host.push("api", "1")
    stack = host.stack(
        "shop", services(host, **published),
        gate={"timeout": "12s", "stable": "1s",
              "probe": [{"url": f"http://127.0.0.1:{port}/", "status": 200}]})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.container("api")["Image"]
    # Healthy to Docker, and yet of no use: nothing listens where the port leads.
    host.push("api", "2", version="2")
    published["ports"] = [f"127.0.0.1:{port}:8081"]
    stack.push(services(host, api="2", **published), message="Wrong port")
    release = stack.wait_outcome(2, "rolled_back")
    assert f"http://127.0.0.1:{port}/" in release["failure"]["reason"]
    assert "is not ready after" in release["failure"]["reason"]
    assert stack.container("api")["Image"] == before
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    page.request("GET", "/")
    assert page.getresponse().read() == b"1\n"


@pytest.mark.parametrize("any_compose_host", ["1.29", "2.40"], indirect=True)
def test_a_job_runs_once_and_its_exit_code_counts(any_compose_host):
    host = any_compose_host
    host.push("web", "1")
    host.push("migrate", "1", behaviour="job 0", health=False)
    host.push("migrate", "2", version="2", behaviour="job 1", health=False)
    host.push("migrate", "3", version="3", behaviour="job 0", health=False)

    def with_job(tag, **more_for_web):
        return {"migrate": {"image": host.image("migrate", tag), "volumes": ["data:/data"]},
                "web": {"image": host.image("web", "1"), "volumes": ["data:/data:ro"],
                        "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
                        **more_for_web}}

    def runs():
        """The versions of the job that ran, one line each; web only notes that it cannot write."""
        return stack.execute("web", "cat", "/data/starts").split()

    stack = host.stack("shop", with_job("1"), gate={"timeout": "20s", "stable": "1s"})
    host.start()
    status = stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert runs() == ["1"] and (status["healthy"], status["services"]) == (2, 2)
    job = stack.instances()["migrate"]
    # Not by an unrelated deployment …
    stack.wait_commit(stack.push(with_job("1", environment={"A": "1"}), message="Unrelated"))
    assert runs() == ["1"] and stack.instances()["migrate"] == job
    # … nor by going back, which the failing new job makes necessary.
    stack.push(with_job("2"), message="A job that fails")
    release = stack.wait_outcome(3, "rolled_back")
    failure = release["failure"]
    assert "migrate" in failure["reason"] + str(the_failing(release))
    assert "exit" in failure["reason"]
    assert "version 2, job 1" in "\n".join(the_failing(release)["migrate"]["log"])
    status = stack.wait_state("failed")
    assert runs() == ["1", "2"]
    assert status["release"] == 2 and status["drift"] == []
    assert status["healthy"] == status["services"]
    # The next one runs, once.
    stack.wait_commit(stack.push(with_job("3"), message="Mended"))
    assert runs() == ["1", "2", "3"]


def test_a_release_that_failed_is_never_good_without_its_gate(host):
    # Its health is not known yet when the gate's time is up.
    slow = {"healthcheck": {"test": ["CMD", "test", "-e", "/tmp/well"],
                            "interval": "1s", "retries": 1000}}
    host.push("web", "1", health=False)
    stack = host.stack("shop", {"web": {"image": host.image("web", "1"), **slow}},
                       gate={"timeout": "2s", "stable": "1s"})
    host.start()
    assert stack.wait_outcome(1, "failed")["failure"]["cause"] == "host"
    runs = stack.instances()
    said = host.trimtab("deploy", "shop", "--wait", code=1).stdout
    tries = stack.releases()
    assert "good" not in {release["outcome"] for release in tries}, said
    assert all("health: starting" in release["failure"]["reason"] for release in tries)
    # What only starts slowly is left to start.
    assert stack.instances() == runs
    stack.execute("web", "touch", "/tmp/well")
    host.trimtab("deploy", "shop", "--wait")
    release = stack.releases()[0]
    gating = [entry for entry in release["timeline"] if entry["phase"] == "gating"]
    assert release["outcome"] == "good" and gating[-1]["seconds"] >= 1
    assert stack.instances() == runs


def test_what_a_failed_release_left_is_not_taken_for_what_it_asked_for(host):
    stack = deployed(host, rollback="manual")
    first = stack.instances()
    host.push("api", "2", version="2")
    start_first = {"deploy": {"update_config": {"order": "start-first"}}}
    broken = services(host, api="2", **start_first)
    broken["web"]["entrypoint"] = ["/no/such/program"]
    stack.push(broken, message="Web cannot start")
    assert stack.wait_outcome(2, "failed")["failure"]["phase"] == "starting"
    # It never came to api.
    assert stack.instances()["api"] == first["api"]
    mended = services(host, api="2", **start_first)
    mended["web"]["environment"] = {"MENDED": "1"}
    stack.wait_commit(stack.push(mended, message="Only web changes"))
    assert stack.version("api") == "2"
    plan = {step["service"]: step["action"] for step in stack.release(3)["plan"]}
    assert plan == {"api": "roll", "web": "recreate"}
    assert stack.wait_state("synced")["release"] == 3


def test_a_health_check_that_comes_after_the_timeout_is_waited_for(host):
    stack = deployed(host, gate={"timeout": "4s", "stable": "1s"})
    api = stack.container("api")["Id"]
    host.push("api", "2", version="2", health=False)
    slow = {"test": ["CMD", "wget", "-qO-", "http://127.0.0.1:8080/healthz"], "interval": "8s"}
    stack.wait_commit(stack.push(services(host, api="2", healthcheck=slow), message="Slow check"))
    # At its first try.
    assert [r["number"] for r in stack.releases()] == [2, 1]
    assert stack.version("api") == "2" and stack.container("api")["Id"] != api
    notice = "the health of api is known 8s after its start at the earliest"
    assert any(notice in line for line in stack.status()["notices"])


def test_an_application_that_ends_until_another_answers_has_time_and_no_other(host):
    host.push("db", "1", behaviour="slow 5")
    host.push("web", "1", health=False)
    waits = ("wget -qO- http://db:8080/healthz >/dev/null 2>&1 || { echo no database yet >&2; exit 1; };"
             " exec /bin/sh /app")
    stack = host.stack("shop", {
        "db": {"image": host.image("db", "1"), "healthcheck": {"start_period": "20s"}},
        "web": {"image": host.image("web", "1"), "restart": "always", "depends_on": ["db"],
                "entrypoint": ["/bin/sh", "-c", waits]}})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.container("web")["RestartCount"] >= 3
    # What ends while all else works does not wait for the deadline.
    stack.settings["gate"]["timeout"] = "10m"
    host.reload()
    stack.push({"db": {"image": host.image("db", "1"), "healthcheck": {"start_period": "20s"}},
                "web": {"image": host.image("web", "1"), "restart": "always",
                        "entrypoint": ["/bin/sh", "-c", "exit 7"]}}, message="Break")
    release = stack.wait_outcome(2, "rolled_back")
    assert (release["failure"]["cause"], "exited with 7" in release["failure"]["reason"]) == (
        "release", True)
