"""Hosts whose Compose changes: from 1.29.2 to 2.x, and back."""

import parts as real

PROGRAMS = {"1.29": "docker-compose 1.29", "2.26": "docker compose 2.26",
            "2.40": "docker compose 2.40"}


def services(host, version="1", **more_for_web):
    return {
        "web": {"image": host.image("web", version), "depends_on": ["store"],
                "environment": {"PRICE": "5$$", "EMPTY": "", "TEXT": "a: b # c",
                            "COMMIT": "${TRIMTAB_COMMIT}"},
                "ports": [{"target": 8080, "published": host.web_port}],
                "volumes": ["./site.conf:/site.conf:ro"], "restart": "unless-stopped",
                **more_for_web},
        "store": {"image": host.image("store", "1"), "volumes": ["data:/data"],
                  "healthcheck": {"test": ["CMD", "true"], "interval": "1s"}},
        # It notes its runs in the volume.
        "job": {"image": host.image("job", "1"), "volumes": ["job:/data"]},
    }


def test_another_compose_changes_nothing_and_deploys_and_goes_back(make_host):
    host = make_host(compose="1.29")
    host.web_port = real.free_port()
    for version, behaviour in (("1", "serve"), ("2", "serve"), ("3", "exit 3 0")):
        host.push("web", version, version=version, behaviour=behaviour, health=False)
    host.push("store", "1")
    host.push("job", "1", behaviour="job 0", health=False)
    stack = host.stack("shop", services(host), {"site.conf": "one\n"},
                       gate={"timeout": "30s", "stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    store = stack.instances()["store"]

    def runs_of_job():
        return host.engine.docker(
            "run", "--rm", "-v", "shop_job:/data", "--entrypoint", "/bin/cat",
            host.image("store", "1"), "/data/starts").split()

    def ups(runs):
        return len([run for run in runs() if "up" in run["argv"]])

    def change_to(compose):
        """Another Compose, at which nothing must happen."""
        before = stack.instances()
        host.stop()
        host.use_compose(compose)
        runs = host.record_compose()
        used = ups(runs)
        host.start()
        # The daemon answers before Compose has said its version.
        host.wait(lambda: host.ask("status")["compose"], "the daemon knows its Compose")
        assert host.ask("status")["compose"].startswith(PROGRAMS[compose])
        status = stack.wait_state("synced")
        stack.wait_polls()
        assert (status["drift"], status["reason"]) == ([], "")
        assert (status["healthy"], status["services"]) == (3, 3)
        assert stack.instances() == before
        assert ups(runs) == used

    def check(release, version, site, state="synced"):
        host.wait(lambda: stack.status()["deployment"] is None, "it is done")
        status = stack.wait_state(state)
        assert (status["release"], status["drift"]) == (release, [])
        assert stack.version("web") == version
        assert stack.execute("web", "cat", "/site.conf") == site
        # What did not change was left alone, and the job was not run again.
        assert stack.instances()["store"] == store
        assert runs_of_job() == ["1"]
        assert len(host.engine.containers("shop")) == 3

    change_to("2.26")
    change_to("2.40")
    # The commit is the one that is rendered, whatever a file says.
    (stack.directory / ".env").write_text("TRIMTAB_COMMIT=of-the-file\n")
    second = stack.push(services(host, "2"), {"site.conf": "two\n"})
    stack.wait_commit(second)
    check(2, "2", "two")
    assert f"COMMIT={second}" in stack.container("web")["Config"]["Env"]
    host.trimtab("rollback", "shop", "1", "--wait")
    check(1, "1", "one")
    host.trimtab("rollback", "shop", "2", "--wait")
    check(2, "2", "two")

    change_to("1.29")
    stack.push(services(host, "3"), {"site.conf": "three\n"})
    stack.wait_outcome(3, "rolled_back")
    check(2, "2", "two", state="failed")
    host.trimtab("rollback", "shop", "1", "--wait")
    check(1, "1", "one", state="failed")


def test_a_compose_that_is_missing_for_a_while_or_replaced_is_found_without_a_restart(make_host):
    host = make_host(compose="2.26")
    plugin = host.folder / "tools/config/cli-plugins/docker-compose"
    host.push("web", "1")
    web = {"image": host.image("web", "1")}
    stack = host.stack("shop", {"web": web})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    # As between the two steps of a package's upgrade.
    program = plugin.readlink()
    plugin.unlink()
    commit = stack.push({"web": {**web, "profiles": []}}, message="While it is missing")
    status = stack.wait_state("waiting", "failed")
    assert "ompose" in status["reason"] and "rejected" not in status["reason"]
    plugin.symlink_to(program)
    stack.wait_commit(commit)
    assert [r["outcome"] for r in stack.releases()] == ["good", "good"]
    # Another version in its place: what runs is rendered again by it, and nothing is touched.
    host.use_compose("2.40")
    stack.wait_commit(stack.push(files={"README": "2"}, message="Another file"))
    assert host.ask("status")["compose"].startswith(PROGRAMS["2.40"])
    assert stack.instances() == before
