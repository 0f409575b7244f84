"""Taking over what was run by hand, and living beside what people do in the live directory."""

import hashlib
import json
import os
import subprocess

import pytest

import parts as real

FILES = {"nginx/site.conf": "listen 80;\n", ".env.example": "GREETING=\n",
         ".gitignore": ".env\ncerts/\n"}


def services(host, version="1"):
    return {
        "web": {"image": host.image("web", version), "environment": {"GREETING": "${GREETING}"},
                "volumes": ["./certs:/certs:ro", "./nginx/site.conf:/site.conf:ro"]},
        "store": {"image": host.image("store", "1"), "volumes": ["data:/data"]},
    }


def by_hand(host, stack, project=None):
    """What people do without trimtab: clone, write what Git must not have, start."""
    for name, versions in (("web", "12"), ("store", "1")):
        for version in versions:
            host.push(name, version, version=version, health=False)
    stack.push(services(host), FILES, message="First version")
    directory = stack.directory
    subprocess.run(["git", "clone", "-q", stack.origin, directory], check=True)
    (directory / ".env").write_text("GREETING=hello\nPASSWORD=p#ss\n")
    (directory / ".env").chmod(0o600)
    (directory / "certs").mkdir(mode=0o700)
    (directory / "certs/site.key").write_bytes(os.urandom(64))
    (directory / "certs/live.key").symlink_to("site.key")
    (directory / "uploads/ä b").mkdir(parents=True)
    (directory / "uploads/ä b/photo.jpg").write_bytes(os.urandom(5000))
    compose(host, directory, *(["-p", project] if project else []), "up", "-d")
    stack.project = project or directory.name
    stack.execute("store", "sh", "-c", "echo precious > /data/precious")


def compose(host, directory, *arguments):
    """Runs Compose as a person would type it."""
    v1 = not (host.folder / "tools/config/cli-plugins/docker-compose").exists()
    done = subprocess.run([*(["docker-compose"] if v1 else ["docker", "compose"]), *arguments],
                          cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**host.environment, "DOCKER_HOST": f"unix://{host.engine.socket}"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(directory):
    """{path: what is there, owner and mode} of everything but Git's own folder."""
    found = {}
    for folder, folders, files in os.walk(directory):
        if ".git" in folders:
            folders.remove(".git")
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            content = (os.readlink(path) if os.path.islink(path) else
                       "folder" if os.path.isdir(path) else
                       hashlib.sha256(open(path, "rb").read()).hexdigest())
            found[os.path.relpath(path, directory)] = (content, oct(info.st_mode), info.st_uid)
    return found


def volumes(host, project):
    return sorted(host.engine.docker(
        "volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={project}").split())


@pytest.mark.parametrize("first,later", [("1.29", "1.29"), ("1.29", "2.26")])
def test_a_project_that_was_started_by_hand_is_taken_over_with_its_data(make_host, first, later):
    host = make_host(compose=first)
    stack = host.stack("shop", gate={"timeout": "30s", "stable": "300ms"})
    by_hand(host, stack)
    before, had = tree(stack.directory), volumes(host, "shop")
    host.use_compose(later)
    host.start()
    status = stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert (status["release"], status["healthy"], status["services"]) == (1, 2, 2)
    assert status["drift"] == []
    assert tree(stack.directory) == before
    assert volumes(host, "shop") == had == ["shop_data"]
    assert stack.execute("store", "cat", "/data/precious") == "precious"
    assert {service: len(found) for service, found in stack.containers().items()} == {
        "web": 1, "store": 1}
    assert "GREETING=hello" in stack.execute("web", "wget", "-qO-", "http://127.0.0.1:8080/env")
    # It goes on as after any deployment.
    store = stack.container("store")["Id"]
    stack.wait_commit(stack.push(services(host, "2")))
    assert stack.version("web") == "2"
    assert stack.container("store")["Id"] == store
    assert {path: entry for path, entry in tree(stack.directory).items() if path != "compose.yaml"
            } == {path: entry for path, entry in before.items() if path != "compose.yaml"}
    # Who looks into the folder finds a plain checkout.
    git = ["git", "-C", stack.directory, "-c", f"safe.directory={stack.directory}"]
    assert subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip() == stack.git(
        "rev-parse", "HEAD")
    assert subprocess.check_output([*git, "status", "--porcelain"], text=True) == "?? uploads/\n"


def test_a_project_of_another_name_is_taken_over_only_when_it_is_named(host):
    stack = host.stack("shop", gate={"timeout": "30s", "stable": "300ms"})
    by_hand(host, stack, project="production")
    before, instances = tree(stack.directory), stack.instances()
    host.start()
    status = stack.wait_state("failed")
    assert "a project named production already runs" in status["reason"]
    assert "project: production" in status["next"]
    assert status["release"] is None
    assert (tree(stack.directory), stack.instances()) == (before, instances)
    assert volumes(host, "shop") == []
    host.stop()
    stack.settings["project"] = "production"
    host.start()
    status = stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert (status["healthy"], status["services"]) == (2, 2)
    assert volumes(host, "production") == ["production_data"]
    assert stack.execute("store", "cat", "/data/precious") == "precious"
    assert tree(stack.directory) == before


@pytest.mark.parametrize("is_link", ["directory", "where it was run"])
def test_a_link_to_the_directory_leads_to_the_same_project(host, is_link):
    stack = host.stack("shop", gate={"timeout": "30s", "stable": "300ms"})
    by_hand(host, stack)
    other = host.folder / "mnt/shop"
    other.parent.mkdir()
    if is_link == "directory":
        stack.directory.rename(other)
        stack.directory.symlink_to(other)
    else:
        other.symlink_to(stack.directory)
    # Made anew from there, with its PWD.
    host.environment["PWD"] = str(other)
    compose(host, other, "-p", "shop", "up", "-d", "--force-recreate")
    labels = stack.container("web")["Config"]["Labels"]
    assert labels["com.docker.compose.project.working_dir"] == str(other)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.execute("store", "cat", "/data/precious") == "precious"
    (stack.directory / "certs/new").write_text("1")
    assert "new" in stack.execute("web", "ls", "/certs")


def with_more(host, file, *arguments):
    """A stack that runs by hand, with a compose file beside it that Git does not have."""
    host.push("web", "1", version="1", health=False)
    stack = host.stack("shop", {"web": {"image": host.image("web", "1")}},
                       gate={"timeout": "30s", "stable": "300ms"})
    subprocess.run(["git", "clone", "-q", stack.origin, stack.directory], check=True)
    port = real.free_port()
    (stack.directory / file).write_text(json.dumps({
        "services": {"web": {"volumes": ["precious:/data"], "ports": [f"{port}:8080"]},
                     "tool": {"image": host.image("web", "1")}},
        "volumes": {"precious": {}}}))
    compose(host, stack.directory, *arguments, "up", "-d")
    return stack, port


def test_an_override_file_counts_as_it_does_by_hand(any_compose_host):
    host = any_compose_host
    stack, port = with_more(host, "docker-compose.override.yml")
    stack.execute("web", "sh", "-c", "echo precious > /data/precious")
    host.start()
    commit = stack.git("rev-parse", "HEAD")
    stack.wait_commit(commit)
    assert set(stack.containers()) == {"web", "tool"}
    assert stack.execute("web", "cat", "/data/precious") == "precious"
    bound = stack.container("web")["HostConfig"]["PortBindings"]["8080/tcp"]
    assert [one["HostPort"] for one in bound] == [str(port)]
    # It is noticed when it changes, and when it is gone.
    override = stack.directory / "docker-compose.override.yml"
    override.write_text(json.dumps({
        "services": {"web": {"volumes": ["precious:/data"], "environment": {"A": "1"}}},
        "volumes": {"precious": {}}}))
    assert stack.wait_outcome(2, "good")["commit"] == commit
    assert "A=1" in stack.container("web")["Config"]["Env"]
    assert set(stack.containers()) == {"web"}


def test_what_another_file_adds_is_not_lost_without_a_word(host):
    stack, port = with_more(host, "prod.yaml", "-f", "compose.yaml", "-f", "prod.yaml")
    before = stack.instances()
    host.start()
    status = stack.wait_state("failed")
    assert "tool" in status["reason"] or "web" in status["reason"]
    assert "prod.yaml" in status["next"]
    findings = {finding["name"]: finding["message"] for finding in stack.release(1)["findings"]}
    assert set(findings) == {"service-lost", "volume-lost", "port-lost"}
    assert "shop_precious at /data" in findings["volume-lost"]
    assert f"{port}/tcp" in findings["port-lost"]
    assert stack.instances() == before


def test_a_named_project_is_taken_over_with_the_images_that_it_runs(host):
    """The compose file names it otherwise than the stack is called."""
    host.push("web", "stable", version="1", health=False)
    stack = host.stack("app", gate={"timeout": "30s", "stable": "300ms"},
                       images={"watch": []})
    stack.project = "shop"
    stack.push(files={"compose.yaml": json.dumps({
        "name": "shop", "services": {"web": {"image": host.image("web", "stable")}}})})
    subprocess.run(["git", "clone", "-q", stack.origin, stack.directory], check=True)
    compose(host, stack.directory, "up", "-d")
    host.push("web", "stable", version="2", health=False)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert stack.version("web") == "1"
    (step,) = stack.release(1)["plan"]
    assert step["reasons"] == ["started manually, taken over"]


def test_values_in_a_tracked_env_file_that_was_edited_here_are_not_replaced(host):
    host.push("web", "1", version="1", health=False)
    web = {"web": {"image": host.image("web", "1"), "environment": {"PASSWORD": "${PASSWORD}"}}}
    stack = host.stack("shop", web, {".env": "PASSWORD=changethis\n"},
                       gate={"timeout": "30s", "stable": "300ms"})
    subprocess.run(["git", "clone", "-q", stack.origin, stack.directory], check=True)
    env = stack.directory / ".env"
    env.write_text("PASSWORD=real-secret\n")
    compose(host, stack.directory, "up", "-d")
    before = stack.instances()
    host.start()
    status = stack.wait_state("failed")
    assert "the commit has the file .env" in status["reason"]
    assert "`env_file:`" in status["next"]
    assert (stack.instances(), env.read_text()) == (before, "PASSWORD=real-secret\n")
    # What is this server's own is kept where Git does not have a say.
    env.with_name("server.env").write_text(env.read_text())
    stack.settings["env_file"] = "server.env"
    host.reload()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert "PASSWORD=real-secret" in stack.execute("web", "env")


def test_edits_made_by_hand_are_saved_and_told_of(host):
    stack = host.stack("shop", gate={"timeout": "30s", "stable": "300ms"})
    by_hand(host, stack)
    site = stack.directory / "nginx/site.conf"
    site.write_text("listen 80;\n# quick fix by Ana\n")
    host.start()

    def told(release):
        """The patch that the release's notice names."""
        (notice,) = [n for n in stack.release(release)["notices"] if "nginx/site.conf" in n]
        assert notice in stack.status()["notices"]
        (patch,) = [p for p in (host.state / "shop/saved").iterdir() if str(p) in notice]
        return patch.read_text()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    assert site.read_text() == FILES["nginx/site.conf"]
    assert "+# quick fix by Ana" in told(1)
    assert stack.execute("web", "cat", "/site.conf") == "listen 80;"

    # And again, when trimtab keeps it already: also what the commit changes itself.
    site.write_text("listen 81;\n")
    (stack.directory / "new.txt").write_text("of no interest to Git\n")
    stack.wait_commit(stack.push(files={"nginx/site.conf": "listen 8080;\n"}))
    assert site.read_text() == "listen 8080;\n"
    assert "+listen 81;" in told(2)
    assert stack.execute("web", "cat", "/site.conf") == "listen 8080;"
    assert (stack.directory / "new.txt").read_text() == "of no interest to Git\n"
