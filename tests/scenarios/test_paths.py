"""Paths of a compose file mean what they mean to Compose in the checkout, and never trimtab's state."""

import json
import os
import subprocess

from host import compose_file
from test_adoption import compose

OWNER = 1000


def make(host, services, files=None, **settings):
    """A stack whose image serves version 1."""
    host.push("web", "1", version="1")
    for service in services.values():
        service["image"] = host.image("web", "1")
    files = {"compose.yaml": compose_file(services), **(files or {})}
    return host.stack("shop", None, files, gate={"stable": "1s"}, **settings)


def mounts(stack):
    return {mount["Destination"]: mount["Source"] for mount in stack.container("web")["Mounts"]}


def beside(host):
    """A stack that reads files beside its checkout, by an absolute path, and by a variable."""
    folder = host.folder / "srv"
    (folder / "shared/conf").mkdir(parents=True)
    (folder / "common.env").write_text("COMMON=1\n")
    (host.folder / "absolute.env").write_text("ABSOLUTE=1\n")
    web = {"volumes": ["./..:/up:ro", "../shared/conf:/conf:ro"],
           "env_file": ["../common.env", str(host.folder / "absolute.env"), "${PROD:-prod}.env"]}
    stack = make(host, {"web": web})
    stack.directory.mkdir()
    (stack.directory / "prod.env").write_text("PROD=1\n")
    return stack, web


def values(stack):
    return stack.execute("web", "sh", "-c", "echo $COMMON $ABSOLUTE $PROD").strip()


def test_two_dots_lead_where_they_lead_from_the_checkout(any_compose_host):
    host = any_compose_host
    stack, web = beside(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    folder = stack.directory.parent
    assert mounts(stack) == {"/up": str(folder), "/conf": str(folder / "shared/conf")}
    assert values(stack) == "1 1 1"
    # What does not exist is named as people know it.
    stack.push({"web": {**web, "env_file": ["../gone.env"]}}, message="Gone")
    failure = stack.wait_outcome(2, "rejected")["failure"]
    assert f"{folder}/gone.env, which is missing" in failure["reason"]
    stack.push({"web": {**web, "volumes": ["../gone:/x"]}}, message="Gone, too")
    failure = stack.wait_outcome(3, "rejected")["failure"]
    assert f"mounts {folder}/gone, which does not exist" in failure["reason"]


def test_a_file_is_watched_wherever_it_lies_and_whatever_names_it(host):
    stack, _ = beside(host)
    host.start()
    commit = stack.git("rev-parse", "HEAD")
    stack.wait_commit(commit)
    for number, (path, name, expected) in enumerate([
            (stack.directory.parent / "common.env", "COMMON", "2 1 1"),
            (host.folder / "absolute.env", "ABSOLUTE", "2 2 1"),
            (stack.directory / "prod.env", "PROD", "2 2 2")], 2):
        path.write_text(f"{name}=2\n")
        assert stack.wait_outcome(number, "good")["commit"] == commit
        assert values(stack) == expected


def test_nothing_of_the_state_directory_is_mounted_or_read(host):
    stack = make(host, {"web": {}})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    runs = stack.instances()
    state = host.state
    web = {"image": host.image("web", "1")}
    (stack.work / "link").symlink_to(state)
    cases = [{"volumes": [f"{state}:/x:ro"]}, {"volumes": [f"{state}/shop/releases:/x"]},
             {"volumes": [f"{state.parent}:/x:ro"]}, {"volumes": ["../../state/shop:/x"]},
             {"volumes": ["./link/shop:/x"]}, {"env_file": [f"{state}/shop/intent.json"]}]
    for number, case in enumerate(cases, 2):
        stack.push({"web": {**web, **case}}, message=f"Case {number}")
        failure = stack.wait_outcome(number, "rejected")["failure"]
        assert "trimtab's own state directory" in failure["reason"], (case, failure)
        assert failure["cause"] == "release"
    assert stack.instances() == runs


def in_a_folder(host, **settings):
    """A stack of a repository that has many of them, each in a folder."""
    host.push("web", "1", version="1", health=False)
    web = {"image": host.image("web", "1"), "env_file": "app.env",
           "environment": {"GREETING": "${GREETING:-none}"},
           "volumes": ["./conf:/conf:ro", "./data:/data"]}
    return host.stack("mono", None, {
        "apps/blog/compose.yaml": compose_file({"web": web}), "apps/blog/app.env": "APP=blog\n",
        "apps/blog/conf/a": "of blog\n", "conf/a": "of the root\n", "app.env": "APP=root\n",
        "more.yaml": json.dumps({"services": {"web": {"volumes": ["./conf:/again:ro"]}}}),
        ".gitignore": ".env\ndata/\n"}, gate={"stable": "300ms"}, **settings)


def told(stack):
    return stack.execute("web", "sh", "-c", "echo $APP $GREETING $(cat /conf/a)")


def test_paths_are_relative_to_the_folder_of_the_first_file(any_compose_host):
    host = any_compose_host
    stack = in_a_folder(host, compose=["apps/blog/compose.yaml", "more.yaml"])
    (stack.directory / "apps/blog/data").mkdir(parents=True)
    (stack.directory / ".env").write_text("GREETING=root\n")
    host.start()
    commit = stack.git("rev-parse", "HEAD")
    stack.wait_commit(commit)
    folder = stack.directory / "apps/blog"
    assert mounts(stack) == {"/conf": str(folder / "conf"), "/again": str(folder / "conf"),
                             "/data": str(folder / "data")}
    assert told(stack) == "blog root of blog"
    # The env file beside it counts more, and is noticed when it appears.
    (folder / ".env").write_text("GREETING=beside\n")
    assert stack.wait_outcome(2, "good")["commit"] == commit
    assert told(stack) == "blog beside of blog"


def test_the_env_file_names_the_compose_files_their_profiles_and_the_project(any_compose_host):
    host = any_compose_host
    host.push("web", "1", version="1", health=False)
    web = {"image": host.image("web", "1")}
    stack = host.stack("shop", {"unused": web}, {
        "base.yaml": compose_file({"web": web, "extra": {**web, "profiles": ["more"]},
                                   "never": {**web, "profiles": ["other"]}}),
        "apps/prod.yaml": json.dumps({"services": {"web": {
            "environment": {"HERE": "${PWD}", "IN": "at ${PWD}/x"},
            "volumes": ["${PWD}/conf:/conf:ro"]}}}),
        "conf/a": "1\n"}, gate={"stable": "300ms"})
    stack.project = "other"
    stack.directory.mkdir(parents=True)
    (stack.directory / ".env").write_text(
        "COMPOSE_FILE=base.yaml:apps/prod.yaml\nCOMPOSE_PROFILES=more\n"
        "COMPOSE_PROJECT_NAME=other\n")
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert set(stack.containers()) == {"web", "extra"}
    assert mounts(stack) == {"/conf": str(stack.directory / "conf")}
    environment = stack.container("web")["Config"]["Env"]
    assert f"HERE={stack.directory}" in environment
    assert f"IN=at {stack.directory}/x" in environment
    (stack.directory / ".env").write_text("COMPOSE_FILE=/etc/compose.yaml\n")
    status = stack.wait_state("failed")
    assert 'COMPOSE_FILE in .env has "/etc/compose.yaml"' in status["reason"]


def test_what_was_run_by_hand_in_its_folder_is_taken_over_there(host):
    stack = in_a_folder(host, compose=["apps/blog/compose.yaml"])
    subprocess.run(["git", "clone", "-q", stack.origin, stack.directory], check=True)
    folder = stack.directory / "apps/blog"
    (folder / ".env").write_text("GREETING=hand\n")
    compose(host, folder, "up", "-d")
    stack.project = "blog"
    stack.execute("web", "touch", "/data/precious")
    before = stack.instances()
    host.start()
    status = stack.wait_state("failed")
    assert "a project named blog already runs from" in status["reason"]
    assert stack.instances() == before and not (stack.directory / "data").exists()
    stack.settings["project"] = "blog"
    host.reload()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert told(stack) == "blog hand of blog"
    assert "precious" in stack.execute("web", "ls", "/data")


def value_of(stack, variable):
    return stack.execute("web", "sh", "-c", f"echo ${variable}").strip()


def test_a_link_of_the_directory_s_owner_opens_nothing_that_he_may_not_read(any_compose_host):
    host = any_compose_host
    stack = make(host, {"web": {"env_file": ["conf/web.env"],
                                "environment": {"VALUE": "${VALUE:-}"}}})
    secret = host.folder / "secret"
    secret.write_text("VALUE=of-root\nroot:$y$of-root:20000:::::\n")
    secret.chmod(0o600)
    (stack.directory / "conf").mkdir(parents=True)
    (stack.directory / "conf/web.env").write_text("OTHER=1\n")
    os.chown(stack.directory, OWNER, OWNER)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    for number, name, variable in ((2, ".env", "VALUE"), (4, "conf/web.env", "OTHER")):
        runs = stack.instances()
        link = stack.directory / name
        link.unlink(missing_ok=True)
        link.symlink_to(secret)
        os.lchown(link, OWNER, OWNER)
        assert stack.wait_outcome(number, "rejected")["failure"]["cause"] == "host"
        expected = f"link {link} belongs to user {OWNER}"
        host.wait(lambda: expected in stack.status()["reason"], expected)
        status = stack.status()
        assert str(secret) in status["reason"], status
        assert f"chown -h root: {link}" in status["reason"] + status["next"], status
        assert "of-root" not in str(status) + host.trimtab("status", "shop").stdout
        assert stack.instances() == runs
        # Nobody has read it, and what takes its place is.
        link.unlink()
        link.write_text(f"{variable}=own\n")
        stack.wait_outcome(number + 1, "good")
        assert value_of(stack, variable) == "own"
    # Root may have meant it.
    secret.write_text("VALUE=by-root\n")
    (stack.directory / ".env").unlink()
    (stack.directory / ".env").symlink_to(secret)
    stack.wait_outcome(6, "good")
    assert value_of(stack, "VALUE") == "by-root"
