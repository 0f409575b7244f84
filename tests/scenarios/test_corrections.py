"""What is corrected after a rejection is noticed without being asked for."""

from test_deploy import services, shop


def test_an_env_file_that_is_corrected_is_noticed_before_the_first_release_too(host):
    host.push("web", "1", version="1")
    web = {"image": host.image("web", "1")}
    stack = host.stack("site", {"web": {**web, "environment": {"PASSWORD": "${PASSWORD}"}}},
                       gate={"stable": "1s"})
    stack.directory.mkdir(parents=True)
    host.start()
    first = stack.git("rev-parse", "HEAD")
    assert "the variable PASSWORD" in stack.wait_outcome(1, "rejected")["failure"]["reason"]
    assert "it is retried automatically" in stack.wait_state("failed")["next"]
    (stack.directory / ".env").write_text("PASSWORD=\n")  # set, and the content is as it was
    assert stack.wait_commit(first)["release"] == 2
    # A file that only the rejected commit names.
    second = stack.push({"web": {**web, "env_file": ["mail.env"]}}, message="Mail")
    assert "mail.env, which is missing" in stack.wait_outcome(3, "rejected")["failure"]["reason"]
    # A restart forgets nothing and records nothing twice.
    host.stop()
    host.start()
    stack.wait_state("failed")
    (stack.directory / "mail.env").write_text("FROM=shop@example.org\n")
    assert stack.wait_commit(second)["release"] == 4
    assert stack.execute("web", "sh", "-c", "echo $FROM").strip() == "shop@example.org"


def test_an_image_that_only_a_failed_commit_names_is_noticed_when_it_is_corrected(host):
    stack = shop(host)
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    host.push("worker", "latest", version="1", behaviour="exit 3 0")
    worker = {"worker": {"image": host.image("worker", "latest"), "restart": "always"}}
    commit = stack.push({**services(host), **worker}, message="A worker")
    stack.wait_outcome(2, "rolled_back")
    host.push("worker", "latest", version="2")
    assert stack.wait_commit(commit)["release"] == 3
    assert stack.version("worker") == "2"


def test_a_check_is_as_strict_as_the_stacks_file_says(any_compose_host):
    host = any_compose_host
    host.push("web", "1", version="1")
    web = {"image": host.image("web", "1"), "environment": {"GREETING": "hello${NOBODY_SETS}"},
           "pid": "host"}
    stack = host.stack("shop", {"web": web}, gate={"stable": "300ms"})
    host.start()

    def release(number, outcome):
        failure = stack.wait_outcome(number, outcome)
        return {finding["name"]: finding["severity"] for finding in failure["findings"]}
    assert release(1, "rejected") == {"unset-variable": "error", "host-namespace": "warning"}
    assert stack.containers() == {}
    # Strict where it was not.
    stack.settings["checks"] = {"unset-variable": "warning", "host-namespace": "error"}
    stack.write_settings()
    host.reload()
    assert release(2, "rejected") == {"unset-variable": "warning", "host-namespace": "error"}
    # As Compose does it.
    stack.settings["checks"] = {"unset-variable": "warning", "host-namespace": "off"}
    stack.write_settings()
    host.reload()
    assert release(3, "good") == {"unset-variable": "warning"}
    assert stack.execute("web", "sh", "-c", "echo $GREETING").strip() == "hello"
