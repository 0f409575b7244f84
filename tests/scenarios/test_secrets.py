"""No value of an env file is told: not in status, history, events, the log, or the records."""

import json

import pytest

from host import compose_file

SECRETS = ["s3cr3t-Va1ue-9f", "0ther-sEcret-1", "pa$w0rd-X7q", "w0rd-X7q"]


def told(host, stack, events):
    """All that anybody is told of the stack, by its source."""
    numbers = [release["number"] for release in stack.releases()]
    shown = {"status": host.trimtab("status", "shop", code=None).stdout,
             "status --json": host.trimtab("status", "shop", "--json", code=None).stdout,
             "history": host.trimtab("history", "shop", code=None).stdout,
             "releases": json.dumps(stack.releases()),
             "events": json.dumps(events.seen),
             "log": host.log.read_text(errors="replace")}
    for number in numbers:
        shown[f"show {number}"] = host.trimtab("show", "shop", str(number), code=None).stdout
        shown[f"release {number}"] = json.dumps(stack.release(number))
    for file in sorted(host.state.rglob("*")):
        private = file.name in ("compose.yaml", "boot.yaml") or "inputs" in file.parts
        if file.is_file() and not file.is_symlink() and not private and ".git" not in str(file):
            shown[str(file)] = file.read_text(errors="replace")
    return shown


def ended(stack, commit, outcome):
    """The release of the commit, once it has ended so."""
    def found():
        numbers = [r["number"] for r in stack.releases()
                   if r["commit"] == commit and r["outcome"] == outcome]
        return numbers and stack.release(max(numbers))
    return stack.host.wait(found, f"{commit[:7]} is {outcome}")


def test_no_value_of_an_env_file_is_ever_told(any_compose_host):
    host = any_compose_host
    host.push("web", "1", version="1")
    web = {"image": host.image("web", "1"), "environment": {"KEY": "${KEY}"}}
    stack = host.stack("shop", {"web": web}, gate={"stable": "1s", "timeout": "10s"})
    stack.directory.mkdir(parents=True)
    env_file = stack.directory / ".env"
    env_file.write_text(f"KEY={SECRETS[0]}\n")
    host.start()
    newer = host.compose != "1.29"
    with host.events("shop") as events:
        stack.wait_commit(stack.git("rev-parse", "HEAD"))
        # What Compose says of the env file, and of a value in a wrong place.
        cases = [
            (web, f"KEY=\"{SECRETS[0]}\nB={SECRETS[1]}\n", "quote" if newer else None),
            (web, f"KEY=1\n{SECRETS[1]} and more\n", "line 2" if newer else None),
            (web, f"KEY=\"{SECRETS[2]}\"\n", "the $ in the value of KEY" if newer else None),
            ({**web, "ports": ["${KEY}:80"]}, f"KEY={SECRETS[0]}\n", "port"),
            ({**web, "privileged": "${KEY}"}, f"KEY={SECRETS[0]}\n", "privileged"),
            ({**web, "depends_on": ["${KEY}"]}, f"KEY={SECRETS[0]}\n", "***"),
        ]
        for service, text, words in cases:
            if words is None:
                continue  # docker-compose 1.29 reads it in its own way
            env_file.write_text(text)
            commit = stack.push({"web": service}, message=f"Has {words}")
            failure = ended(stack, commit, "rejected")["failure"]
            assert words in failure["reason"], failure
            if "$" in text:
                assert "KEY='…'" in failure["hint"]
        # What Docker and the application say of it.
        env_file.write_text(f"KEY={SECRETS[0]}\nNOTE='{SECRETS[2]}'\n")
        command = ["sh", "-c", "echo my $$NOTE; echo \"$$KEY\"; exit 1"]
        noisy = {**web, "environment": {"KEY": "${KEY}", "NOTE": "${NOTE}"}, "command": command,
                 "entrypoint": []}
        commit = stack.push({"web": noisy}, message="Says it all")
        failure = ended(stack, commit, "rolled_back")["failure"]
        assert "my ***" in failure["services"][0]["log"], failure
        commit = stack.push({"web": {**web, "entrypoint": ["${KEY}"]}}, message="Runs it")
        assert "***" in json.dumps(ended(stack, commit, "rolled_back")["failure"])
        stack.wait_state("failed")
        for where, text in told(host, stack, events).items():
            for secret in SECRETS:
                assert secret not in text, (where, text[max(0, text.find(secret) - 200):][:400])


@pytest.mark.parametrize("make", ["2.26", "2.40"])
def test_the_content_of_a_secret_may_come_from_a_variable(make_host, make):
    host = make_host(compose=make)
    host.push("web", "1", version="1", health=False)
    value = 'one "two" $three `four` \\five'
    web = {"image": host.image("web", "1"), "secrets": ["token"], "configs": ["greeting"]}
    other = {"image": host.image("web", "1")}
    stack = host.stack("shop", None, {"compose.yaml": compose_file(
        {"web": web, "other": other}, secrets={"token": {"environment": "API_TOKEN"}},
        configs={"greeting": {"environment": "GREETING"}})}, gate={"stable": "300ms"})
    stack.directory.mkdir(parents=True)
    env_file = stack.directory / ".env"
    env_file.write_text("GREETING=hello\n")
    host.start()
    status = stack.wait_state("failed")
    assert "API_TOKEN, and nothing sets it" in status["reason"]
    commit = stack.git("rev-parse", "HEAD")
    with host.events("shop") as events:
        env_file.write_text(f"GREETING=hello\nAPI_TOKEN='{value}'\n")
        stack.wait_commit(commit)
        assert stack.execute("web", "cat", "/run/secrets/token") == value
        assert stack.execute("web", "cat", "/greeting") == "hello"
        before = stack.instances()
        env_file.write_text(f"GREETING=hello\nAPI_TOKEN={SECRETS[0]}\n")
        host.wait(lambda: stack.instances()["web"] != before["web"], "web has the new secret")
        stack.wait_state("synced")
        assert stack.execute("web", "cat", "/run/secrets/token") == SECRETS[0]
        assert stack.instances()["other"] == before["other"]
        # What it was is put back with the release.
        host.trimtab("rollback", "shop", "--wait")
        assert stack.execute("web", "cat", "/run/secrets/token") == value
        for source, text in told(host, stack, events).items():
            assert SECRETS[0] not in text or source.endswith("boot.env"), source
    # The unit boots it without trimtab.
    boot = next(line for line in (host.state / "shop/current/boot.env").read_text().splitlines()
                if line.startswith("API_TOKEN="))
    assert boot == 'API_TOKEN="one \\"two\\" \\$three \\`four\\` \\\\five"'


ENCRYPTED = b"\0GITCRYPT\0" + bytes(range(64, 96))
POINTER = ("version https://git-lfs.github.com/spec/v1\n"
           f"oid sha256:{'4d7a2146' * 8}\nsize 12345\n")
SOPS = ("KEY=ENC[AES256_GCM,data:p673w==,iv:YY=,tag:A=,type:str]\n"
        "sops_lastmodified=2026-01-01T00:00:00Z\nsops_mac=ENC[AES256_GCM,data:x]\n")


def test_what_git_holds_encrypted_is_named_and_never_used(any_compose_host):
    host = any_compose_host
    host.push("web", "1", version="1")
    web = {"image": host.image("web", "1")}
    stack = host.stack("shop", {"web": web}, gate={"stable": "1s"})
    host.start()
    stack.wait_commit(stack.git("rev-parse", "HEAD"))
    before = stack.instances()
    mounting = {**web, "volumes": ["./conf:/conf:ro"]}
    cases = [(mounting, "conf/db.txt", ENCRYPTED, "conf/db.txt is encrypted by git-crypt"),
             (mounting, "conf/logo.png", POINTER, "conf/logo.png in the commit is a pointer of"),
             ({**web, "env_file": ["web.env"]}, "web.env", ENCRYPTED, "web.env is encrypted by git"),
             ({**web, "env_file": ["web.env"]}, "web.env", SOPS, "web.env is encrypted by SOPS"),
             (None, "compose.yaml", ENCRYPTED, "compose.yaml is encrypted by git-crypt")]
    for service, path, content, words in cases:
        for other in ("conf/db.txt", "conf/logo.png", "web.env"):
            (stack.work / other).unlink(missing_ok=True)
        commit = stack.push(service and {"web": service}, {path: content}, message=words)
        failure = ended(stack, commit, "rejected")["failure"]
        assert words in failure["reason"], failure
        assert failure["hint"]
    assert stack.instances() == before
    # Decrypted on the server.
    (stack.directory / "web.env").write_text("KEY=1\n")
    stack.wait_commit(stack.push({"web": {**web, "env_file": ["web.env"]}}))
    assert stack.execute("web", "sh", "-c", "echo $KEY").strip() == "1"
