"""What is not the stack's is left alone, and what is gone is not made anew without a word."""

import json
import os
import signal

import pytest
from test_adoption import compose


def services(host, version="1", **more):
    return {"web": {"image": host.image("web", version)},
            "store": {"image": host.image("store", "1"), "volumes": ["data:/data"]}, **more}


def deployed(host, name="shop", **settings):
    for image, version in (("web", "1"), ("web", "2"), ("store", "1")):
        host.push(image, version, version=version, health=False)
    host.push("web", "bad", version="bad", behaviour="exit 1 0")
    stack = host.stack(name, services(host), gate={"timeout": "20s", "stable": "300ms"}, **settings)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    return stack


def run_beside(host, labels, name):
    """A container of somebody's with these labels; returns its id."""
    arguments = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    return host.engine.docker("run", "-d", "--name", name, *arguments, host.image("store", "1"))


def state(host, container):
    _, inspected = host.engine.get(f"/containers/{container}/json")
    return inspected["State"]["Running"], inspected["State"]["StartedAt"]


def test_containers_of_others_are_left_alone_whatever_their_labels(host, tmp_path):
    stack = deployed(host)
    label = "com.docker.compose."
    ours = stack.container("store")["Config"]["Labels"]
    others = [
        run_beside(host, {label + "project": "shop", label + "service": "extra"}, "plain"),
        run_beside(host, {**ours, label + "service": "extra"}, "copy"),
    ]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "compose.yaml").write_text(
        json.dumps({"services": {"debug": {"image": host.image("store", "1")}}}))
    compose(host, elsewhere, "-p", "shop", "up", "-d")
    # Nor is what was made by hand in the stack's own folder removed.
    (stack.directory / "tools.yaml").write_text(
        json.dumps({"services": {"tool": {"image": host.image("store", "1")}}}))
    compose(host, stack.directory, "-p", "shop", "-f", "tools.yaml", "up", "-d")
    for service in ("debug", "tool"):
        others.append(stack.container(service)["Id"])
    before = [state(host, container) for container in others]

    stack.push(services(host, "2"), message="Forward")
    stack.wait_outcome(2, "good")
    assert stack.wait_state("synced")["drift"] == []
    stack.push(services(host, "bad"), message="And back")
    stack.wait_outcome(3, "rolled_back")
    assert [state(host, container) for container in others] == before
    assert stack.version("web") == "2"
    told = "\n".join(stack.status()["notices"])
    assert all(name in told for name in ("plain", "copy", "shop-debug-1", "shop-tool-1")), told

    # What Compose itself would replace keeps it from being asked.
    copy = run_beside(host, stack.container("web")["Config"]["Labels"], "web-copy")
    was = state(host, copy)
    stack.push(services(host, "1"), message="Forward again")
    release = stack.wait_outcome(4, "rejected")
    assert "the container web-copy has the labels" in release["failure"]["reason"]
    assert state(host, copy) == was
    # Nor is the unit's Compose, which would keep the newer one of the two at boot.
    told = "\n".join(stack.status()["notices"])
    assert "as long as it exists, shop.service does not start web" in told
    before = stack.instances()
    boot(host, stack, ["store"])
    assert stack.instances() == before and state(host, copy) == was
    host.engine.docker("rm", "-f", *others, copy)
    host.post("/v1/stacks/shop/check")
    host.wait(lambda: "web" in booted(stack), "the unit starts web again")


def test_what_the_unit_reads_is_kept_as_the_release_is(host):
    stack = deployed(host)
    folder = host.state / "shop/current"
    yaml, env = folder / "boot.yaml", folder / "boot.env"
    written = yaml.read_text()
    assert "external: true" in written.partition("volumes:\n  data:")[2]
    boot(host, stack, ["store", "web"])
    # As an earlier trimtab leaves a release.
    host.stop()
    yaml.unlink()
    env.unlink()
    host.start()
    host.wait(lambda: env.exists() and yaml.read_text() == written, "they are written again")
    # And where it was rendered again, for another Compose.
    rendered = (folder / "compose.yaml").stat().st_mtime
    yaml.write_text("")
    os.utime(yaml, (rendered - 1, rendered - 1))
    host.post("/v1/stacks/shop/check")
    host.wait(lambda: yaml.read_text() == written, "it is written again")


def booted(stack):
    """The services that the stack's unit starts."""
    env = (stack.host.state / stack.name / "current/boot.env").read_text()
    return env.strip().partition("=")[2].split()


def boot(host, stack, services):
    """Starts these services as the stack's unit does it."""
    host.wait(lambda: booted(stack) == services, f"the unit starts {services}")
    compose(host, stack.directory, "-f", str(host.state / stack.name / "current/boot.yaml"),
            "--project-directory", str(stack.directory), "-p", stack.project,
            "up", "-d", "--no-build", "--no-deps", "--no-recreate", *booted(stack))


@pytest.mark.compose("2.26")
def test_no_service_is_started_where_none_is_to_be(host):
    stack = deployed(host)
    copies = [run_beside(host, stack.container(service)["Config"]["Labels"], f"{service}-copy")
              for service in ("store", "web")]
    before = stack.instances()
    host.post("/v1/stacks/shop/check")
    boot(host, stack, ["--help"])
    assert stack.instances() == before
    host.engine.docker("rm", "-f", *copies)


def test_a_project_that_another_stack_has_is_refused(host):
    stack = deployed(host, "production", project="shop")
    stack.execute("store", "sh", "-c", "echo precious > /data/precious")
    before = stack.instances()
    host.stop()
    del stack.settings["project"]  # it is the commit that says so
    staging = host.stack("staging")
    for each, version in ((stack, "1"), (staging, "2")):
        each.push(files={"compose.yaml": json.dumps({
            "name": "shop", "services": services(host, version), "volumes": {"data": {}}})})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    status = staging.wait_state("failed")
    assert "the project shop belongs to the stack production" in status["reason"]
    assert "`project:`" in status["next"]
    assert stack.instances() == before
    assert not staging.directory.exists() or not any(staging.directory.iterdir())


def test_a_project_is_a_stacks_before_it_was_ever_deployed(host):
    host.push("web", "1", version="1", health=False)
    named = {"compose.yaml": json.dumps({
        "name": "shop", "services": {"web": {"image": host.image("web", "1")}}})}
    # Cut in its first deployment.
    first = host.stack("second", files=named)
    host.start(TRIMTAB_KILL_AT="switching:begun")
    assert host.wait_killed() == -signal.SIGKILL
    # By its settings, although its state cannot be read.
    (host.state / "broken").write_text("")
    host.stack("broken", files=named, project="blog")
    another = host.stack("another", files=named)
    wiki = host.stack("wiki", files={
        "compose.yaml": named["compose.yaml"].replace('"shop"', '"blog"')})
    host.start()
    first.wait_commit(first.git("rev-parse", "HEAD"))
    for stack, project, holder in ((another, "shop", "second"), (wiki, "blog", "broken")):
        reason = stack.wait_state("failed")["reason"]
        assert f"the project {project} belongs to the stack {holder}" in reason
    host.engine.remove_project("shop")


def lose_data(host, stack):
    stack.docker("rm", "store", "-f")
    host.engine.docker("volume", "rm", "shop_data")


def is_data_there(host):
    return host.engine.docker("volume", "ls", "-q", "--filter", "name=shop_data") != ""


@pytest.mark.parametrize("point", ["before:begun", "switching:begun", "gating:begun"])
def test_a_volume_is_not_made_anew_by_a_deployment_of_another_service(host, point):
    stack = deployed(host, hooks={
        "before": [{"service": "web", "run": ["true"], "one_off": True}]})
    host.stop()
    host.start(TRIMTAB_KILL_AT=point)
    stack.push(services(host, "bad" if point == "gating:begun" else "2"))
    assert host.wait_killed() == -signal.SIGKILL
    lose_data(host, stack)
    host.start()

    if point == "before:begun":
        host.wait(lambda: "was not run: the volume shop_data" in str(stack.release(2)["failure"]),
                  "the hook is not run without the volume")
    else:
        host.wait(lambda: "rolling back failed too: the volume shop_data" in host.log.read_text(),
                  "it does not go back without the volume")
        status = stack.wait_state("failed")
        told = "the volume shop_data" if point == "switching:begun" else \
            "rolling back failed too: the volume shop_data"
        assert told in status["reason"]
    assert not is_data_there(host)
    if point != "gating:begun":
        assert os.readlink(host.state / "shop/current") == "releases/1"


def test_a_volume_that_is_gone_stops_the_stack_until_somebody_decides(host):
    stack = deployed(host)
    stack.push(services(host, "2"))
    stack.wait_outcome(2, "good")
    lose_data(host, stack)
    status = stack.wait_state("failed")
    assert status["reason"] == (
        "the volume shop_data, in which the service store keeps its data, is gone")
    assert "docker volume create shop_data" in status["next"]
    web = stack.instances()["web"]
    for command in ("deploy", "rollback"):
        done = host.trimtab(command, "shop", "--wait", code=None)
        assert done.returncode != 0 and "shop_data" in done.stdout + done.stderr
    assert os.readlink(host.state / "shop/current") == "releases/2"
    stack.push(services(host, "1"))
    stack.wait_outcome(4, "rejected")
    assert not is_data_there(host)
    assert stack.instances() == {"web": web}
    # The label has it removed with the rest of the project when the test ends.
    host.engine.docker("volume", "create", "--label", "com.docker.compose.project=shop", "shop_data")
    host.trimtab("deploy", "shop", "--wait")
    assert stack.version("web") == "1"
    assert stack.execute("store", "ls", "/data") == "starts"


def test_a_damaged_rendering_is_made_again_or_another_is_gone_back_to(host):
    stack = deployed(host)
    stack.push(services(host, "2"))
    stack.wait_outcome(2, "good")
    rendering = host.state / "shop/releases/2/compose.yaml"
    whole = rendering.read_text()
    containers = stack.instances()
    # Read again at each start; while it runs, before it is used.
    host.stop()
    rendering.write_text("services: {}\n")
    host.start()
    host.wait(lambda: rendering.read_text() == whole, "it is rendered again")
    assert stack.instances() == containers
    rendering.write_text("")
    stack.push(services(host, "bad"))
    stack.wait_outcome(3, "rolled_back")
    assert rendering.read_text() == whole
    assert stack.version("web") == "2"

    # Where what it was made from is not what it was, the release before it no longer exists back to.
    host.stop()
    rendering.write_text("")
    record = rendering.with_name("release.json")
    record.write_text(record.read_text().replace('"content_key": "', '"content_key": "0'))
    host.start()
    stack.push(services(host, "bad", more={"image": host.image("store", "1")}))
    release = stack.wait_outcome(4, "rolled_back")
    assert any("could not be rolled back to release 2, but was rolled back to release 1" in notice
               for notice in release["notices"]), release["notices"]
    assert stack.version("web") == "1"
    assert set(stack.containers()) == {"web", "store"}


def test_what_runs_of_a_lost_rendering_keeps_no_release_from_being_mended_or_deployed(host):
    stack = deployed(host, rollback="manual")
    stack.push(services(host, "bad"))
    stack.wait_outcome(2, "failed")  # it is the current one; what runs is of the first, too
    host.stop()
    for number in (1, 2):
        (host.state / f"shop/releases/{number}/compose.yaml").write_text("")
    record = host.state / "shop/releases/1/release.json"
    record.write_text(record.read_text().replace('"content_key": "', '"content_key": "0'))
    host.start()
    host.wait(lambda: (host.state / "shop/releases/2/compose.yaml").read_text(),
              "the current one is rendered again")
    stack.wait_commit(stack.push(services(host, "2")))
    assert stack.release(3)["outcome"] == "good"
    assert stack.version("web") == "2"


def test_an_operator_goes_back_from_and_past_what_cannot_be_read_any_more(host):
    stack = deployed(host)
    more = {"image": host.image("store", "1")}
    stack.push(services(host, "2"))
    stack.wait_outcome(2, "good")
    stack.wait_commit(stack.push(services(host, "1", more=more)))
    host.stop()
    # Nor can they be made again: their commits are gone, too.
    for number in (2, 3):
        folder = host.state / f"shop/releases/{number}"
        (folder / "compose.yaml").write_text("")
        record = folder / "release.json"
        told = json.loads(record.read_text())
        record.write_text(json.dumps({**told, "commit": "0" * 39 + str(number)}))
    host.start()
    stack.wait_state("synced")
    # Which release that is, an operator has said.
    refused = host.trimtab("rollback", "shop", "2", "--wait", code=1)
    assert "0000002" in refused.stdout + refused.stderr
    assert set(stack.containers()) == {"web", "store", "more"}

    with host.events("shop") as events:
        host.trimtab("rollback", "shop", "--wait")
        events.wait(lambda e: "could not be rolled back to release 2, but was rolled back to release 1" in
                    e.get("message", ""), "it is told")
    assert stack.status()["release"] == 1
    assert stack.version("web") == "1"
    assert set(stack.containers()) == {"web", "store"}
    assert stack.release(3)["outcome"] == "rolled_back"
    # And it stays so.
    stack.wait_polls(2)
    assert stack.status()["release"] == 1 and stack.status()["deployment"] is None
