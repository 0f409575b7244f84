"""Going back: by trimtab itself and by an operator."""

import json
import time

import parts as real


def services(host, api="1", **more_for_api):
    return {"web": {"image": host.image("web", "1")},
            "api": {"image": host.image("api", api), "volumes": ["data:/data"], **more_for_api}}


def deployed(host, **settings):
    settings.setdefault("gate", {"timeout": "20s", "stable": "1s"})
    # Of a version of its own, since the same content would be the same image.
    host.push("web", "1", version="web")
    host.push("api", "1")
    stack = host.stack("shop", services(host), **settings)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    return stack


def push_good(stack, version):
    host = stack.host
    host.push("api", version, version=version)
    commit = stack.push(services(host, api=version), message=f"Version {version}")
    stack.wait_commit(commit)
    return commit


# Unhealthy so late that something can be done before.
LATE = {"healthcheck": {"test": ["CMD", "wget", "-q", "-O", "/dev/null",
                                 "http://127.0.0.1:8080/healthz"],
                        "interval": "1s", "retries": 10}}


def push_bad(stack, version, behaviour="unhealthy", **more):
    host = stack.host
    host.push("api", version, version=version, behaviour=behaviour)
    return stack.push(services(host, api=version, **more), message=f"Bad version {version}")


def engine_events(engine, since, kind):
    """What the Engine tells of the time since then (seconds), [(action, name), …]."""
    _, text = engine.get(f"/events?since={since:.9f}&until={time.time():.9f}"
                         f"&filters={real.quote(json.dumps({'type': [kind]}))}")
    lines = [text] if isinstance(text, dict) else map(json.loads, text.splitlines())
    return [(e["Action"], e["Actor"]["Attributes"].get("name", e["Actor"]["ID"])) for e in lines]


def test_what_was_rolled_back_is_not_tried_again_and_what_is_newer_is(host):
    stack = deployed(host)
    image = stack.container("api")["Image"]
    push_bad(stack, "2")
    stack.wait_outcome(2, "rolled_back")
    stack.wait_state("failed")
    assert stack.container("api")["Image"] == image
    since = time.time()
    runs = stack.instances()
    stack.wait_polls(3)
    host.stop()
    host.start()
    stack.wait_polls(2)
    # Another commit with the same content does not bring it back either.
    other = stack.push(files={"README": "Read me\n"}, message="Only words")

    def held():
        status = stack.status()
        assert status["state"] == "failed" and other[:7] in status["reason"], status["reason"]
        return status

    status = host.wait(held, "the commit is looked at and held")
    assert [r["outcome"] for r in stack.releases()] == ["rolled_back", "good"]
    assert stack.instances() == runs
    assert not [e for e in engine_events(host.engine, since, "container") if e[0] == "create"]
    assert "api unhealthy" in status["reason"]
    push_good(stack, "3")
    assert stack.version("api") == "3"


def test_an_image_that_is_gone_is_fetched_before_anything_is_stopped(host):
    stack = deployed(host)
    image = stack.container("api")["Image"]
    with host.events("shop") as events:
        push_bad(stack, "2", **LATE)
        events.wait(lambda e: e["event"] == "phase" and e["phase"] == "gating", "gating")
    failing = stack.container("api")["Id"]
    since = time.time()
    host.engine.docker("rmi", "-f", image)
    stack.wait_outcome(2, "rolled_back")
    assert stack.container("api")["Image"] == image
    assert stack.version("api") == "1"
    _, text = host.engine.get(f"/events?since={since:.9f}&until={time.time():.9f}")
    seen = [json.loads(line) for line in text.splitlines()]
    pulled = next(e["timeNano"] for e in seen if e["Type"] == "image" and e["Action"] == "pull")
    stopped = next(e["timeNano"] for e in seen
                   if e["Action"] in ("kill", "stop", "die") and e["Actor"]["ID"] == failing)
    assert pulled < stopped


def test_a_rollback_that_fails_is_loud_and_final_and_a_command_mends_it(host):
    stack = deployed(host)
    image = stack.container("api")["Image"]
    digest = stack.running_digest("api")[0]
    with host.events("shop") as events:
        push_bad(stack, "2", **LATE)
        events.wait(lambda e: e["event"] == "phase" and e["phase"] == "gating", "gating")
    host.engine.docker("rmi", "-f", image)
    host.registry.remove_manifest(f"host{host.number}/api", digest)
    release = stack.wait_outcome(2, "failed")
    assert "api unhealthy" in release["failure"]["reason"]
    assert "rolling back failed too" in release["failure"]["reason"]
    status = stack.wait_state("failed")
    assert "rolling back failed too" in status["reason"]
    left = stack.instances()
    assert set(left) == {"web", "api"}
    stack.wait_polls(3)
    assert stack.instances() == left and len(stack.releases()) == 2
    host.stop()
    host.start()
    stack.wait_polls(2)
    assert stack.instances() == left and len(stack.releases()) == 2
    # The image comes back, and an operator goes back to it.
    assert host.push("api", "1") == digest
    host.trimtab("rollback", "shop", "--wait")
    assert stack.container("api")["Image"] == image and stack.version("api") == "1"
    status = stack.status()
    assert (status["release"], status["healthy"], status["services"]) == (1, 2, 2)


def test_an_operator_goes_back_and_it_stays_so(host):
    stack = deployed(host)
    first = stack.container("api")["Image"]
    web = stack.instances()["web"]
    push_good(stack, "2")
    second = stack.container("api")["Image"]
    third = push_good(stack, "3")

    host.trimtab("rollback", "shop", "--wait")
    assert stack.container("api")["Image"] == second
    stack.wait_polls(2)
    host.stop()
    host.start()
    stack.wait_polls(2)
    assert stack.container("api")["Image"] == second and stack.status()["release"] == 2
    assert stack.release(3)["outcome"] == "rolled_back"

    host.trimtab("rollback", "shop", "1", "--wait")
    assert stack.container("api")["Image"] == first and stack.status()["release"] == 1
    assert "no release 9" in host.trimtab("rollback", "shop", "9", code=2).stderr
    assert "is the current one" in host.trimtab("rollback", "shop", "1", code=1).stderr

    # An operator may go forward again by number: it ran well once.
    host.trimtab("rollback", "shop", "2", "--wait")
    assert stack.container("api")["Image"] == second

    # What was rejected is deployed when it is asked for.
    host.trimtab("deploy", "shop", "--wait")
    assert stack.version("api") == "3" and stack.wait_commit(third)["state"] == "synced"
    assert stack.instances()["web"] == web
    assert stack.execute("api", "cat", "/data/starts").split() == ["1", "2", "3", "2", "1", "2", "3"]


def test_going_back_tells_what_is_done_for_it(host):
    stack = deployed(host)
    push_good(stack, "2")
    told = host.trimtab("rollback", "shop", "1", "--wait").stdout
    assert "started    api in" in told, told
    actions = {step["service"]: step["action"] for step in stack.release(1)["plan"]}
    assert actions == {"api": "recreate", "web": "none"}


def test_a_broken_release_that_is_asked_for_again_is_tried_once_more(host):
    stack = deployed(host)
    push_bad(stack, "2", "needs-key")
    stack.wait_outcome(2, "rolled_back")
    stack.wait_state("failed")
    done = host.trimtab("deploy", "shop", "--wait", code=4)
    assert "rolled back to release 1" in done.stdout
    assert "SECRET_KEY: field required" in done.stdout + host.trimtab("show", "shop", "3").stdout
    assert [r["outcome"] for r in stack.releases()] == ["rolled_back", "rolled_back", "good"]
    assert stack.version("api") == "1"
    refused = host.trimtab("rollback", "shop", "2", code=1)
    assert "has never been good" in refused.stderr


def test_a_repair_that_fails_says_nothing_against_what_runs(host):
    database = host.folder / "database"
    database.mkdir()
    stack = deployed(host, gate={"timeout": "10s", "stable": "300ms"})

    def push(version):
        host.push("api", version, version=version, health=False)
        stack.wait_commit(stack.push(services(
            host, api=version, volumes=[f"{database}:/database"],
            command=["/bin/sh", "-c", "test ! -e /database/down && exec /bin/sh /app"])))

    push("2")
    (database / "down").touch()
    stack.docker("rm", "api", "-f")
    host.trimtab("deploy", "shop", "--wait", code=None)
    failure = stack.release(3)["failure"]
    assert (failure["cause"], failure["services"][0]["service"]) == ("release", "api")
    # What had worked until the database was down is gone back to.
    (database / "down").unlink()
    push("4")
    host.trimtab("rollback", "shop", "--wait")
    assert stack.version("api") == "2"


def test_where_rolling_back_is_manual_the_failure_stays_until_an_operator_goes_back(host):
    stack = deployed(host, rollback="manual")
    image = stack.container("api")["Image"]
    push_bad(stack, "2", "needs-key")
    release = stack.wait_outcome(2, "failed")
    assert "api exited with 1" in release["failure"]["reason"]
    status = stack.wait_state("failed")
    assert "api exited with 1" in status["reason"]
    assert stack.container("api")["Image"] != image
    runs = stack.instances()
    stack.wait_polls(2)
    assert stack.instances() == runs and len(stack.releases()) == 2
    host.trimtab("rollback", "shop", "--wait")
    assert stack.container("api")["Image"] == image and stack.version("api") == "1"
    stack.wait_polls(2)
    assert stack.status()["release"] == 1 and stack.version("api") == "1"


def test_what_breaks_goes_back_to_what_ran_before_it(host):
    stack = deployed(host)
    first = stack.instances()
    push_good(stack, "2")
    push_good(stack, "3")
    host.trimtab("rollback", "shop", "1", "--wait")
    before = stack.instances()
    assert before["web"] == first["web"] and stack.version("api") == "1"
    # Only web changes; it breaks soon after its gate.
    host.push("web", "2", version="web2")
    changed = services(host)
    changed["web"]["image"] = host.image("web", "2")
    stack.push(changed, message="Another web")
    stack.wait_outcome(4, "good")
    stack.wait_state("synced")
    stack.execute("web", "rm", "/www/healthz")
    release = stack.wait_outcome(4, "rolled_back")
    assert release["failure"]["reason"].startswith("on probation: web unhealthy")
    assert release["previous"] == 1
    # Not to 2, which the operator stepped over.
    assert stack.wait_state("failed")["release"] == 1
    assert stack.instances()["api"] == before["api"] and stack.version("api") == "1"
    assert stack.version("web") == "web"
    refused = host.trimtab("rollback", "shop", code=1)
    assert "no earlier good release" in refused.stderr


def test_what_an_operator_changed_before_does_not_fail_the_way_back(host):
    stack = deployed(host)
    # Another image under the same service, by hand.
    host.push("web", "hand", version="by hand")
    name = stack.container("web")["Name"].lstrip("/")
    labels = [word for label, value in stack.container("web")["Config"]["Labels"].items()
              for word in ("--label", f"{label}={value}")]
    host.engine.docker("rm", "-f", name)
    host.engine.docker("pull", host.image("web", "hand"))
    host.engine.docker("run", "-d", "--name", name, *labels, host.image("web", "hand"))
    by_hand = stack.instances()["web"]
    push_bad(stack, "2", "needs-key")
    release = stack.wait_outcome(2, "rolled_back", "failed")
    assert release["outcome"] == "rolled_back", release["failure"]["reason"]
    assert stack.instances()["web"] == by_hand and stack.version("api") == "1"


def test_going_back_is_tried_again_where_the_host_prevented_it(host):
    stack = deployed(host)
    image = stack.container("api")["Image"]
    with host.events("shop") as events:
        push_bad(stack, "2", **LATE)
        events.wait(lambda e: e["event"] == "phase" and e["phase"] == "gating", "gating")
    # What it goes back to is gone from this host, and the registry does not answer.
    host.engine.docker("rmi", "-f", image)
    host.registry.stop()
    try:
        def waits():
            status = stack.status()
            assert "rolling back is retried" in status["next"], status["reason"]
            return status
        status = host.wait(waits, "it is going to go back", 120)
        assert status["state"] == "failed" and "api unhealthy" in status["reason"]
        assert stack.version("api") == "2"
    finally:
        host.registry.start()
    host.post("/v1/stacks/shop/check")
    release = stack.wait_outcome(2, "rolled_back")
    assert "rolling back failed" not in release["failure"]["reason"]
    assert stack.container("api")["Image"] == image and stack.version("api") == "1"


def test_a_record_that_cannot_be_written_does_not_keep_it_from_going_back(host):
    stack = deployed(host)
    with host.events("shop") as events:
        push_bad(stack, "2", **LATE)
        events.wait(lambda e: e["event"] == "phase" and e["phase"] == "gating", "gating")
    record = stack.in_flight()
    record.unlink()
    (record / "in-the-way").mkdir(parents=True)
    host.wait(lambda: "cannot be recorded" in stack.status()["reason"], "its end is told as unwritten")
    assert stack.version("api") == "1"
    (record / "in-the-way").rmdir()
    record.rmdir()
    stack.wait_outcome(2, "rolled_back")
    assert stack.wait_state("failed")["release"] == 1 and stack.version("api") == "1"
