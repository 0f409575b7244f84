"""What the scenarios stand on: that the real parts show what the tests ask them for."""

import subprocess

import pytest

import parts as real


def compose(host, stack, *arguments):
    """Runs the host's Compose on the developer's clone, without trimtab."""
    environment = {**host.environment, "DOCKER_HOST": f"unix://{host.engine.socket}"}
    plugin = host.folder / "tools/config/cli-plugins/docker-compose"
    program = ["docker", "compose"] if plugin.exists() else ["docker-compose"]
    done = subprocess.run([*program, "-p", stack.project, "-f", "compose.yaml", *arguments],
                          cwd=stack.work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def health(stack, service):
    return stack.container(service)["State"].get("Health", {}).get("Status", "none")


def test_each_compose_runs_a_stack_with_a_volume_and_a_published_port(any_compose_host):
    host = any_compose_host
    port = real.free_port()
    host.push("web", "1", version="7")
    stack = host.stack("shop", {"web": {
        "image": host.image("web", "1"), "ports": [f"127.0.0.1:{port}:8080"],
        "volumes": ["data:/data"]}})
    compose(host, stack, "up", "-d")
    real.wait_until(lambda: health(stack, "web") == "healthy", "web is healthy")
    assert stack.version("web") == "7"
    page = real.http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    page.request("GET", "/data/starts")
    assert page.getresponse().read() == b"7\n"


def test_images_show_each_kind_of_failure(host):
    behaviours = {"unhealthy": "unhealthy", "slow": "slow 3", "dies": "exit 3 1", "key": "needs-key",
                  "job": "job 0", "badjob": "job 4"}
    services = {}
    for name, behaviour in behaviours.items():
        host.push(name, "1", behaviour=behaviour, health="job" not in behaviour)
        services[name] = {"image": host.image(name, "1")}
    services["dies"]["restart"] = "always"
    stack = host.stack("shop", {name: {"init": False, **s} for name, s in services.items()})
    compose(host, stack, "up", "-d")

    def state(service):
        return stack.container(service)["State"]

    real.wait_until(lambda: health(stack, "unhealthy") == "unhealthy", "unhealthy shows")
    real.wait_until(lambda: health(stack, "slow") == "healthy", "slow becomes healthy")
    real.wait_until(lambda: stack.container("dies")["RestartCount"] >= 2, "dies is restarted")
    for service, code in (("key", 1), ("job", 0), ("badjob", 4)):
        real.wait_until(lambda s=service: state(s)["Status"] == "exited", f"{service} exits")
        assert state(service)["ExitCode"] == code
    logs = subprocess.run([real.DOCKER, "logs", stack.container("key")["Id"]], check=True,
                          env={"DOCKER_HOST": f"unix://{host.engine.socket}"},
                          capture_output=True, text=True)
    assert "SECRET_KEY: field required" in logs.stderr


def test_pushed_images_have_the_digest_that_was_returned_and_stop_quickly(host):
    first = host.push("web", "latest", version="1")
    second = host.push("web", "latest", version="2")
    assert first != second
    stack = host.stack("shop", {"web": {"image": host.image("web")}})
    compose(host, stack, "up", "-d")
    real.wait_until(lambda: health(stack, "web") == "healthy", "web is healthy")
    assert stack.running_digest("web") == [second]
    stack.docker("stop", "web")
    assert stack.container("web")["State"]["ExitCode"] == 0  # 137: it was killed


def test_an_engine_of_its_own_can_be_restarted_and_killed(own_engine, make_host):
    host = make_host(engine=own_engine)
    host.push("web", "1")
    stack = host.stack("shop", {"web": {"image": host.image("web", "1"), "restart": "always"}})
    compose(host, stack, "up", "-d")
    own_engine.restart()
    real.wait_until(lambda: stack.container("web")["State"]["Running"], "web is back")
    own_engine.kill()
    own_engine.start()
    real.wait_until(lambda: stack.container("web")["State"]["Running"], "web is back again")


def test_git_helpers_push_and_rewrite(host):
    stack = host.stack("shop", {"web": {"image": "x"}})
    first = stack.git("rev-parse", "HEAD")
    second = stack.push(files={".env.example": "A=\n"}, message="More")
    assert stack.git("ls-remote", "origin", "refs/heads/main").split()[0] == second
    stack.git("reset", "-q", "--hard", first)
    third = stack.push({"web": {"image": "y"}}, message="Rewritten", force=True)
    assert stack.git("ls-remote", "origin", "refs/heads/main").split()[0] == third


def test_waiting_says_what_it_waited_for():
    with pytest.raises(real.PartFailed, match="after 0 s still not: the sky falls"):
        real.wait_until(lambda: False, "the sky falls", seconds=0)
