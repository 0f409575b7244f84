"""Commands around a deployment, and what happens to a release soon after it."""

import os
import pathlib

import pytest

import parts as real


def services(host, api="1", **more_for_api):
    return {"db": {"image": host.image("db", "1"), "volumes": ["data:/data"]},
            "api": {"image": host.image("api", api), **more_for_api}}


def deployed(host, **settings):
    """A stack of two services whose first release runs."""
    settings.setdefault("gate", {"timeout": "20s", "stable": "500ms"})
    host.push("db", "1", health=False)
    host.push("api", "1", health=False)
    stack = host.stack("shop", services(host), **settings)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    return stack


def push_version(host, stack, version, behaviour="serve", health=False, **more_for_api):
    """Pushes an image and a commit that wants it; returns the commit."""
    host.push("api", version, version=version, behaviour=behaviour, health=health)
    return stack.push(services(host, version, **more_for_api), message=f"Version {version}")


def in_db(script, **more):
    return {"service": "db", "run": ["sh", "-c", script], **more}


def processes_of(*argv):
    """How many processes there are with this command line."""
    wanted = b"\0".join(word.encode() for word in argv) + b"\0"
    count = 0
    for entry in pathlib.Path("/proc").iterdir():
        try:
            count += entry.name.isdigit() and (entry / "cmdline").read_bytes() == wanted
        except OSError:
            pass  # it has just ended
    return count


def assert_untouched(stack, before, number, commit):
    assert stack.instances() == before
    status = stack.status()
    assert (status["release"], status["commit"]) == (number, commit)
    assert stack.version("api") == "1"


def test_hooks_run_before_and_after_and_what_they_write_is_kept(host, tmp_path):
    program = tmp_path / "tell"
    program.write_text(f"#!/bin/sh\nenv | sort > {tmp_path}/told; echo told \"$1\" \"$2\"\n")
    program.chmod(0o755)
    dump = "echo $TRIMTAB_STACK $TRIMTAB_RELEASE $TRIMTAB_PREVIOUS_RELEASE | tee -a /data/dumps"
    stack = deployed(host, hooks={
        "before": [in_db(dump)],
        "after": [{"program": str(program), "args": ["all", "all"]}]})
    # There was nothing to dump yet.
    first = stack.release(1)
    assert [(hook["phase"], hook["name"]) for hook in first["hooks"]] == [("after", "tell")]
    assert "hook db: sh was skipped: db has no container yet" in first["notices"]
    commit = push_version(host, stack, "2")
    stack.wait_commit(commit)
    release = stack.release(2)
    assert [entry["phase"] for entry in release["timeline"]] == [
        "pulling", "before", "switching", "starting", "gating", "committing", "after"]
    assert [{**hook, "seconds": None} for hook in release["hooks"]] == [
        {"phase": "before", "name": "db: sh", "exit": 0, "seconds": None, "problem": "",
         "output": ["shop 2 1"]},
        {"phase": "after", "name": "tell", "exit": 0, "seconds": None, "problem": "",
         "output": ["told all all"]}]
    told = dict(line.split("=", 1) for line in (tmp_path / "told").read_text().splitlines())
    assert told["TRIMTAB_COMMIT"] == commit and told["TRIMTAB_PHASE"] == "after"
    assert (pathlib.Path(told["TRIMTAB_RELEASE_DIR"]) / "compose.yaml").exists()
    assert told["TRIMTAB_DIRECTORY"] == str(stack.directory) and "HOME" not in told
    shown = host.trimtab("show", "shop", "2").stdout
    assert "db: sh, before: done in" in shown and "| shop 2 1" in shown
    # Neither what starts nothing anew nor an operator who goes back runs any.
    stack.wait_commit(stack.push(files={"README": "more\n"}, message="Words"))
    host.trimtab("rollback", "shop", "1", "--wait")
    assert stack.version("api") == "1"
    assert stack.execute("db", "cat", "/data/dumps") == "shop 2 1"


def test_a_program_that_others_could_change_is_not_run(host, tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    program = folder / "tell"
    stack = deployed(host, hooks={"before": [{"program": str(program)}]})
    before, commit = stack.instances(), stack.status()["commit"]
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/told\n")
    program.chmod(0o755)
    os.chown(folder, 1000, 1000)
    push_version(host, stack, "2")
    reason = stack.wait_state("waiting")["reason"]
    assert f"was not run: {program} cannot be trusted: {folder} belongs to user 1000" in reason
    assert f"run chown root: {folder}" in reason
    assert not (tmp_path / "told").exists()
    assert_untouched(stack, before, 1, commit)
    checked = host.trimtab("check", "--config-dir", host.config, code=2)
    assert f"run chown root: {folder}" in checked.stdout + checked.stderr
    # As said, and the same release is deployed.
    os.chown(folder, 0, 0)
    host.trimtab("deploy", "shop", "--wait")
    assert (tmp_path / "told").exists() and stack.version("api") == "2"


def test_a_hook_that_fails_or_is_late_stops_the_deployment_and_nothing_is_touched(host):
    script = ("if [ -e /data/late ]; then sleep 987654 & sleep 987654; fi; "
              "if [ ! -e /data/ok ]; then echo no room >&2; exit 3; fi")
    stack = deployed(host, hooks={"before": [in_db(script, timeout="5s")]})
    before, commit = stack.instances(), stack.status()["commit"]
    push_version(host, stack, "2")
    status = stack.wait_state("waiting")
    assert "release 2" in status["reason"] and "hook db: sh exited with 3" in status["reason"]
    assert_untouched(stack, before, 1, commit)
    release = stack.release(2)
    assert release["outcome"] == "in_progress" and release["failure"]["cause"] == "host"
    assert release["hooks"][0]["output"] == ["no room"] and release["hooks"][0]["exit"] == 3
    # Late, with a child of its own.
    stack.execute("db", "touch", "/data/late")
    failed = host.trimtab("deploy", "shop", "--wait", code=None)
    assert "hook db: sh did not finish within 5s and was killed" in failed.stdout + failed.stderr
    assert stack.release(2)["hooks"][0]["exit"] is None
    assert processes_of("sleep", "987654") == 0
    assert_untouched(stack, before, 1, commit)
    # As soon as it works, the same release is deployed.
    stack.execute("db", "sh", "-c", "rm /data/late; touch /data/ok")
    host.trimtab("deploy", "shop", "--wait")
    assert stack.status()["release"] == 2 and stack.version("api") == "2"
    assert [hook["problem"] for hook in stack.release(2)["hooks"]] == [""]


def test_a_hook_that_may_fail_is_told_of(host):
    stack = deployed(host, hooks={
        "before": [in_db("exit 5", on_failure="continue"), in_db("echo second")],
        "after": [in_db("exit 6"), in_db("echo never")]})
    stack.wait_commit(push_version(host, stack, "2"))
    release = stack.release(2)
    assert release["outcome"] == "good" and stack.version("api") == "2"
    assert [hook["problem"] for hook in release["hooks"]] == ["exited with 5", "", "exited with 6"]
    assert {"hook db: sh exited with 5", "hook db: sh exited with 6"} <= set(release["notices"])


@pytest.mark.parametrize("any_compose_host", ["1.29", "2.40"], indirect=True)
def test_a_migration_is_run_by_the_new_image_and_its_failure_leaves_the_old_one(any_compose_host):
    host = any_compose_host
    script = "echo migrating to $VERSION; wget -qO- http://db:8080/; exit ${BROKEN:-0}"
    stack = deployed(host, hooks={
        "before": [{"service": "api", "run": ["sh", "-c", script], "one_off": True}]})
    assert "hook api: sh was skipped" in " ".join(stack.release(1)["notices"])
    before, commit = stack.instances(), stack.status()["commit"]
    push_version(host, stack, "2", environment={"BROKEN": "4"})
    release = stack.wait_outcome(2, "rejected")
    assert release["failure"]["reason"] == "hook api: sh exited with 4"
    assert release["failure"]["cause"] == "release" and release["failure"]["phase"] == "before"
    assert release["hooks"][0]["output"][:2] == ["migrating to 2", "1"]
    stack.wait_state("failed")
    stack.wait_polls(2)
    assert_untouched(stack, before, 1, commit)
    assert len(stack.releases()) == 2 and len(host.engine.containers("shop")) == 2
    # What mends it is deployed.
    stack.wait_commit(push_version(host, stack, "3"))
    assert stack.version("api") == "3"
    assert len(host.engine.containers("shop")) == 2


def test_a_migration_that_is_late_is_ended_with_its_container(host):
    stack = deployed(host, hooks={"before": [
        {"service": "api", "run": ["sleep", "876543"], "one_off": True, "timeout": "6s"}]})
    before, commit = stack.instances(), stack.status()["commit"]
    push_version(host, stack, "2")
    release = stack.wait_outcome(2, "rejected")
    assert "did not finish within 6s and was killed" in release["failure"]["reason"]
    assert processes_of("sleep", "876543") == 0
    assert_untouched(stack, before, 1, commit)


def test_a_hook_that_a_kill_cut_off_is_run_again_and_not_beside_itself(host):
    script = "echo run >> /data/runs; while [ ! -e /data/go ]; do sleep 1; done"
    stack = deployed(host, hooks={"before": [in_db(script)]})
    commit = push_version(host, stack, "2")

    def runs():
        deployment = stack.status()["deployment"]
        if deployment is None or deployment["phase"] != "before" or not deployment["services"]:
            return []
        assert deployment["services"] == [{"service": "db: sh", "health": "hook runs"}]
        # Told a moment before it begins.
        return stack.execute("db", "sh", "-c", "cat /data/runs 2>/dev/null; true").split()

    def runs_alone():
        # Its shell's next `sleep` is a copy of the shell for a moment.
        real.wait_until(lambda: processes_of("sh", "-c", script) == 1, "one hook runs")

    host.wait(lambda: len(runs()) == 1, "the hook runs")
    host.kill()
    runs_alone()
    host.start()
    host.wait(lambda: len(runs()) == 2, "the hook runs again")
    runs_alone()
    # An orderly stop does not wait for it.
    host.stop()
    assert processes_of("sh", "-c", script) == 0
    host.start()
    host.wait(lambda: len(runs()) == 3, "the hook runs once more")
    stack.execute("db", "touch", "/data/go")
    stack.wait_commit(commit)
    assert stack.version("api") == "2"


def test_what_a_hook_that_ended_well_has_started_outlives_the_next_deployment(host):
    script = "sleep 765432 >/dev/null 2>&1 &"
    stack = deployed(host, hooks={"after": [in_db(script)]})
    for count, version in ((1, "1"), (2, "2"), (3, "3")):
        if count > 1:
            stack.wait_commit(push_version(host, stack, version))
        host.wait(lambda wanted=count: processes_of("sleep", "765432") == wanted, "it runs")


@pytest.mark.parametrize("restart", [False, True], ids=["runs on", "is restarted"])
def test_what_breaks_after_the_gate_goes_back_by_itself(host, restart):
    stack = deployed(host)
    db = stack.instances()["db"]
    push_version(host, stack, "2", health=True)
    release = stack.wait_outcome(2, "good")
    status = stack.wait_state("synced")
    assert status["release"] == 2 and "; on probation for " in status["next"]
    assert release["probation_until"]
    if restart:
        host.stop()
        host.start()
        assert "on probation for" in stack.wait_state("synced")["next"]
    stack.execute("api", "sh", "-c", "rm /www/healthz; echo health lost > /proc/1/fd/1")
    release = stack.wait_outcome(2, "rolled_back")
    assert release["failure"]["reason"].startswith("on probation: api unhealthy")
    assert "health lost" in release["failure"]["services"][0]["log"]
    status = stack.wait_state("failed")
    assert status["release"] == 1 and stack.version("api") == "1"
    assert stack.instances()["db"] == db
    # It is not tried again, and said once.
    stack.wait_polls(2)
    assert len(stack.releases()) == 2
    log = host.daemon.log.read_text()
    assert log.count("rolled back to release 1: on probation: api unhealthy") == 1


def test_what_people_do_by_hand_after_the_gate_sends_nothing_back(host):
    stack = deployed(host, rollback="manual")
    push_version(host, stack, "2", behaviour="turns-unhealthy 12", health=True)
    stack.wait_outcome(2, "good")
    stack.wait_state("synced")
    for command in ("kill", "stop"):
        stack.docker(command, "api")
        stack.wait_state("degraded")
        stack.docker("start", "api")
        stack.wait_state("synced")
    assert stack.release(2)["notices"] == []
    # With `rollback: manual` it is only told.
    told = "on probation: api unhealthy"
    host.wait(lambda: any(told in notice for notice in stack.release(2)["notices"]),
              "people are told", 90)
    assert stack.release(2)["outcome"] == "good" and stack.version("api") == "2"
    assert stack.status()["release"] == 2


def test_another_major_version_of_postgresql_is_not_put_on_the_same_data(host):
    for major in ("16", "17"):
        host.push("db", major, version=major, health=False, environment=[f"PG_MAJOR={major}"])

    def of(major, volume):
        return {"db": {"image": host.image("db", major),
                       "volumes": [f"{volume}:/var/lib/postgresql/data"]}}

    stack = host.stack("shop", of("16", "data"), gate={"timeout": "20s", "stable": "500ms"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    stack.push(of("17", "data"), message="17")
    release = stack.wait_outcome(2, "rejected")
    assert "PostgreSQL 17 on the data of 16" in release["failure"]["reason"]
    assert "dump the data" in release["failure"]["hint"]
    assert stack.instances() == before
    stack.wait_commit(stack.push(of("17", "data17"), message="With data of its own"))
    assert stack.version("db") == "17"


def test_what_ends_while_a_hook_runs_after_the_gate_goes_back(host):
    script = "touch /data/began; while [ ! -e /data/go ]; do sleep 0.2; done"
    # The first deployment need not wait.
    script = "[ ! -e /data/second ] || { " + script + "; }"
    stack = deployed(host, hooks={"after": [in_db(script)]})
    stack.execute("db", "touch", "/data/second")
    push_version(host, stack, "2", behaviour="ends 3")
    host.wait(lambda: stack.execute("db", "sh", "-c", "ls /data/began 2>/dev/null; true"),
              "the hook runs")
    stack.execute("api", "touch", "/tmp/end")
    host.wait(lambda: stack.container("api")["State"]["Status"] == "exited", "api has ended")
    stack.execute("db", "touch", "/data/go")
    release = stack.wait_outcome(2, "rolled_back")
    assert release["failure"]["reason"].startswith("on probation: api exited with 3")
    assert "ending with 3" in release["failure"]["services"][0]["log"]
    assert stack.wait_state("failed")["release"] == 1 and stack.version("api") == "1"


def test_another_stacks_deployment_keeps_nobody_from_asking_for_a_plan(host):
    script = "while [ ! -e /data/go ]; do sleep 0.2; done"
    shop = deployed(host, hooks={"before": [in_db(script)]})
    other = host.stack("other", {"api": {"image": host.image("api", "1")}},
                       gate={"timeout": "20s", "stable": "500ms"})
    host.reload()
    other.wait_commit(other.git("rev-parse", "HEAD"))
    commit = push_version(host, shop, "2")
    shop.wait_phase("before")
    behind = other.push({"api": {"image": host.image("api", "2")}}, message="Queued")

    def queued():
        status = other.status()
        assert status["state"] == "waiting", status["state"]
        assert "another stack" in status["reason"]
        return True

    host.wait(queued, "it waits for its turn")
    planned = host.trimtab("plan", "other").stdout
    assert behind[:7] in planned and "api" in planned
    # What an operator asks of a stack that is being deployed has its end all the same.
    host.trimtab("pause", "shop", "--reason", "night")
    host.trimtab("resume", "shop")
    shop.execute("db", "touch", "/data/go")
    shop.wait_commit(commit)
    other.wait_commit(behind)
    assert other.version("api") == "2"
