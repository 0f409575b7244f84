"""What Git servers and the people who push to them do."""

import pathlib
import subprocess
import sys

import parts as real


def services(host, version):
    host.push("web", version, version=version, health=False)
    return {"web": {"image": host.image("web", version)}}


def make_stack(host, **git):
    return host.stack("shop", services(host, "1"), git=git,
                      gate={"timeout": "20s", "stable": "300ms"})


def look_now(stack):
    code, body = stack.host.post(f"/v1/stacks/{stack.name}/check")
    assert code == 202, body


def wait_told(stack, state, *words):
    """Waits until the stack is in the state, for a reason with these words."""
    def told():
        status = stack.status()
        assert status["state"] == state, (status["state"], status["reason"])
        for word in words:
            assert word in status["reason"] + " " + status["next"], status
        return status
    return stack.host.wait(told, f"{state}: {words}")


class StaticServer:
    """Serves a folder over HTTP, always at the same port; Git calls it the dumb protocol."""

    def __init__(self, folder, logs):
        self.port = real.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = real.Process(
            "http.server", [sys.executable, "-m", "http.server", self.port, "--bind", "127.0.0.1",
                            "--directory", folder], logs)

    def start(self):
        self.process.start()
        self.process.wait_until(lambda: real.http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=5).connect() is None, "it listens")

    def stop(self):
        self.process.stop(real.signal.SIGKILL)


def test_a_damaged_repository_of_its_own_is_fetched_anew_and_nothing_else_is_touched(host):
    stack = make_stack(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.wait_commit(stack.push(services(host, "2")))
    before = stack.instances()
    own = host.state / "shop/repo.git"
    (own / "config").write_text("[[[")
    for pack in (own / "objects/pack").glob("*.pack"):
        pack.chmod(0o600)
        pack.write_bytes(b"junk")
    stack.wait_commit(stack.push(files={"README": "more\n"}))
    assert stack.instances() == before
    told = " ".join(stack.release(3)["notices"])
    assert f"repository {own} is damaged (" in told
    assert f"fetched again from {stack.origin}" in told
    # Also what older releases need is there again.
    host.trimtab("rollback", "shop", "1", "--wait")
    assert stack.version("web") == "1"


def test_a_remote_that_cannot_be_reached_touches_nothing(host):
    server = StaticServer(host.folder / "origin", host.folder)
    stack = make_stack(host)
    stack.settings["git"]["url"] = f"{server.url}/shop.git"
    (stack.origin / "hooks").mkdir(exist_ok=True)
    hook = stack.origin / "hooks/post-update"
    hook.write_text("#!/bin/sh\nexec git update-server-info\n")
    hook.chmod(0o755)
    subprocess.run(["git", "update-server-info"], cwd=stack.origin, check=True)
    host.start()
    status = wait_told(stack, "waiting", "127.0.0.1", "nothing is deployed")
    assert status["release"] is None and status["git"]["error"]
    assert not (stack.directory / "compose.yaml").exists()
    try:
        server.start()
        look_now(stack)
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        before = stack.instances()
        server.stop()
        commit = stack.push(services(host, "2"))
        wait_told(stack, "waiting", "127.0.0.1", "release 1 keeps running")
        assert stack.status()["release"] == 1
        assert stack.instances() == before
        server.start()
        look_now(stack)
        stack.wait_commit(commit)
        assert stack.version("web") == "2"
        assert stack.status()["git"]["error"] == ""
    finally:
        server.stop()


def test_a_repository_or_branch_that_is_gone_touches_nothing_until_it_is_back(host):
    stack = make_stack(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    moved = stack.origin.with_name("moved.git")
    stack.origin.rename(moved)
    look_now(stack)
    wait_told(stack, "failed", str(stack.origin), "release 1 keeps running")
    moved.rename(stack.origin)
    look_now(stack)
    wait_told(stack, "synced")

    def update_ref(*arguments):
        subprocess.run(["git", "update-ref", *arguments], cwd=stack.origin, check=True)
    update_ref("refs/heads/other", "refs/heads/main")
    update_ref("-d", "refs/heads/main")
    look_now(stack)
    wait_told(stack, "failed", "has no branch main", "it has other", "release 1 keeps running")
    update_ref("refs/heads/main", "refs/heads/other")
    look_now(stack)
    wait_told(stack, "synced")
    assert stack.instances() == before
    assert [r["number"] for r in stack.releases()] == [1]

    # Once more, and it comes back with something new.
    update_ref("-d", "refs/heads/main")
    look_now(stack)
    wait_told(stack, "failed", "has no branch main")
    commit = stack.push(services(host, "2"))
    look_now(stack)
    stack.wait_commit(commit)
    assert stack.version("web") == "2"


def test_a_rewritten_history_is_deployed_with_a_notice(host):
    stack = make_stack(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    stack.wait_commit(stack.push(services(host, "2")))
    dropped = stack.git("rev-parse", "HEAD")
    stack.git("reset", "-q", "--hard", "HEAD^")
    commit = stack.push(services(host, "3"), {"notes.txt": "new\n"}, force=True)
    status = stack.wait_commit(commit)
    assert stack.version("web") == "3"
    assert (stack.directory / "notes.txt").read_text() == "new\n"
    (notice,) = status["notices"]
    assert "history" in notice and dropped[:7] in notice
    # It is told of once.
    assert stack.wait_commit(stack.push(services(host, "4")))["notices"] == []


def test_of_tags_the_newest_version_is_deployed_and_one_that_moves_is_held(host):
    stack = make_stack(host, ref="v*")
    tagged = {}

    def tag(name, version, *options):
        commit = stack.commit(services(host, version))
        stack.git("tag", *options, name)
        stack.git("push", "-q", "--force", "origin", f"refs/tags/{name}")
        tagged[name] = commit
        return commit

    tag("v1.9", "1")
    host.start()
    stack.wait_commit(tagged["v1.9"])
    tag("nightly", "2")
    tag("v1.10", "3", "-a", "-m", "Ten comes after nine")
    status = stack.wait_commit(tagged["v1.10"])
    assert (status["ref"], stack.version("web")) == ("v1.10", "3")
    # An older one that is pushed late changes nothing.
    tag("v1.2", "4")
    stack.wait_polls()
    assert stack.status()["commit"] == tagged["v1.10"]

    old, before = tagged["v1.10"], stack.instances()
    tag("v1.10", "5", "--force", "-a", "-m", "Moved")
    status = wait_told(stack, "synced", "the tag v1.10 was moved", old[:7], tagged["v1.10"][:7],
                       "trimtab deploy shop")
    # The word of an operator holds, and that of nobody does not, also after a start.
    host.stop()
    host.start()
    wait_told(stack, "synced", "the tag v1.10 was moved")
    stack.wait_polls()
    assert (stack.status()["commit"], stack.instances()) == (old, before)
    host.trimtab("deploy", "shop", "--wait")
    assert stack.wait_commit(tagged["v1.10"])["reason"] == ""
    assert stack.version("web") == "5"

    # Moved, and moved back.
    stack.git("push", "-q", "--force", "origin", f"{old}:refs/tags/v1.10")
    wait_told(stack, "synced", "the tag v1.10 was moved")
    stack.git("push", "-q", "--force", "origin", f"{tagged['v1.10']}:refs/tags/v1.10")
    host.wait(lambda: stack.status()["reason"] == "", "nothing is to be told any more")
    # A newer one ends the question.
    stack.git("push", "-q", "--force", "origin", f"{old}:refs/tags/v1.10")
    wait_told(stack, "synced", "the tag v1.10 was moved")
    tag("v1.11", "6")
    assert stack.wait_commit(tagged["v1.11"])["reason"] == ""
    assert stack.version("web") == "6"


def test_refused_credentials_are_told_apart_and_can_be_mended(host, git_servers):
    stack = make_stack(host)
    git_servers.serve(stack)
    token, hosts = host.folder / "token", host.folder / "known_hosts"
    token.write_text("a-wrong-one\n")
    token.chmod(0o600)
    stack.settings["git"].update(url=git_servers["HTTP_PRIVATE"] + "/shop.git",
                                 token_file=str(token))
    host.start()
    status = wait_told(stack, "failed", "denies access", "git.token_file", "nothing is deployed")
    assert "a-wrong-one" not in str(status) + host.log.read_text()
    token.write_text(git_servers["TOKEN"] + "\n")
    look_now(stack)
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    # It expires while all is well.
    token.write_text("expired\n")
    look_now(stack)
    wait_told(stack, "failed", "denies access", "release 1 keeps running")
    token.write_text(git_servers["TOKEN"] + "\n")
    look_now(stack)
    assert wait_told(stack, "synced")["git"]["transport"] == "http, protocol 2"
    # One line where it begins, however often it is asked, and one where it ends.
    for words in ("denies access", "answers again"):
        assert host.log.read_text().count(words) == 2, host.log.read_text()
    host.stop()

    # SSH: another host key fails closed, whatever the key of ours.
    del stack.settings["git"]["token_file"]
    hosts.write_text(pathlib.Path(git_servers["KNOWN_HOSTS_OTHER"]).read_text())
    stack.settings["git"].update(url=git_servers["SSH"] + "/shop.git", key=git_servers["SSH_KEY"],
                                 known_hosts=str(hosts))
    host.start()
    wait_told(stack, "failed", "host key", "release 1 keeps running")
    assert hosts.read_text() == pathlib.Path(git_servers["KNOWN_HOSTS_OTHER"]).read_text()
    hosts.write_text(pathlib.Path(git_servers["KNOWN_HOSTS"]).read_text())
    look_now(stack)
    wait_told(stack, "synced")
    assert stack.instances() == before
    stack.wait_commit(stack.push(services(host, "2")))
    assert stack.version("web") == "2"
    assert git_servers["TOKEN"] not in host.log.read_text()
