"""What the tests on whole hosts stand on: that the hosts are what they are taken for."""

import http.client
import pathlib
import subprocess

import debian_host
import parts as real

def run_app(host, forge, *options):
    """Starts a container of the test image, pulled from the registry, and returns its id."""
    forge.registry.push_image("test/app", "1", version="7")
    return host.docker("run", "-d", "--name", "app", *options,
                       f"{forge.registry.address}/test/app:1")


def served(host, port=8080):
    """What the host serves on that port, seen from outside."""
    connection = http.client.HTTPConnection(host.address, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    finally:
        connection.close()


def boot_id(host):
    return host.read("/proc/sys/kernel/random/boot_id")


def reaches(host, address):
    """Whether a TCP connection to HOST:PORT can be made from the host."""
    # Exit code 7 of curl: no connection could be made; 28: none in time.
    done = host.run(["curl", "-sk", "-o", "/dev/null", "--connect-timeout", "2",
                     f"https://{address}/"], check=False)
    assert done.returncode in (0, 7, 28), done
    return done.returncode == 0


def test_has_booted_with_the_docker_and_compose_of_its_release(running):
    expected = real.RELEASES[running.release]
    assert running.read("/proc/1/comm") == "systemd\n"
    assert running.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout == ""
    assert running.unit_state("docker.service") == "active"
    assert running.docker("version", "--format", "{{.Server.Version}}").startswith(expected.docker)
    assert running.docker("info", "--format", "{{.Driver}} {{.CgroupVersion}}") == "overlay2 2"
    compose = ["docker-compose"] if running.release == "bookworm" else ["docker", "compose"]
    assert running.run([*compose, "version", "--short"]).stdout.startswith(expected.compose)


def test_runs_an_imported_image(running, tmp_path):
    tar = tmp_path / "busybox.tar"
    layer, _ = real.layer({"bin/busybox": pathlib.Path("/bin/busybox").read_bytes()}, {})
    tar.write_bytes(layer)
    running.docker("import", "-", "busybox", input=layer)
    assert running.docker("run", "--rm", "busybox", "/bin/busybox", "echo", "hello") == "hello"


def test_pulls_from_the_registry_and_serves_to_outside(running, forge):
    run_app(running, forge, "-p", "8080:8080")
    assert real.wait_until(lambda: served(running), "the container answers") == "7"


def test_clones_by_ssh_and_https(running, forge):
    repository = pathlib.Path(forge.settings["REPOS"]) / f"{running.name}.git"
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
    running.put("/root/key", pathlib.Path(forge.settings["SSH_KEY"]).read_text(), mode="0600")
    known_hosts = pathlib.Path(forge.settings["KNOWN_HOSTS"]).read_text()
    running.put("/root/.ssh/known_hosts", known_hosts)
    for kind, url in (("ssh", forge.settings["SSH"]), ("https", forge.settings["HTTPS_OPEN"])):
        running.run(["env", "GIT_SSH_COMMAND=ssh -i /root/key -o BatchMode=yes", "git", "clone",
                     f"{url}/{running.name}.git", f"/root/{kind}"])
        assert running.exists(f"/root/{kind}/.git/HEAD")


def test_reaches_the_network_of_the_test_alone_and_not_once_it_is_cut(running, forge):
    def is_reached():
        return reaches(running, forge.registry.address)

    running.wait_for(is_reached, "the registry is reached")
    assert running.run(["ip", "route", "show", "default"]).stdout == ""
    running.cut_network()
    assert not is_reached()
    running.restore_network()
    running.wait_for(is_reached, "the registry is reached again")


def test_commands_get_nothing_of_the_caller_s_environment(running, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_TEST", "1")
    names = {line.partition("=")[0] for line in running.run(["env"]).stdout.splitlines()}
    assert names == {"PATH", "HOME", "LC_ALL"}


def test_a_reboot_without_network_keeps_files_and_brings_docker_back(debian, forge):
    run_app(debian, forge, "--restart", "always", "-v", "data:/data", "-p", "8080:8080")
    debian.put("/etc/kept", "kept\n")
    first = boot_id(debian), debian.docker("inspect", "-f", "{{.State.StartedAt}}", "app")
    debian.cut_network()
    debian.reboot()
    assert debian.read("/etc/kept") == "kept\n"
    assert debian.unit_state("docker.service") == "active"
    debian.wait_for(lambda: debian.docker("inspect", "-f", "{{.State.StartedAt}}", "app")
                    != first[1], "the container runs again")
    debian.wait_for(lambda: debian.docker("exec", "app", "cat", "/data/starts") == "7\n7",
                    "the volume tells of both starts")
    assert not reaches(debian, forge.registry.address)
    assert boot_id(debian) != first[0]
    for boot in ("-1", "0"):
        assert "Daemon has completed initialization" in debian.journal("docker", "-b", boot)
    debian.restore_network()
    assert real.wait_until(lambda: served(debian), "the container answers") == "7"


def test_a_crash_ends_all_and_keeps_files(debian, forge):
    run_app(debian, forge, "--restart", "always")
    debian.put("/etc/kept", "kept\n")
    debian.crash()
    assert debian.read("/etc/kept") == "kept\n"
    debian.boot()
    assert debian.read("/etc/kept") == "kept\n"
    debian.wait_for(lambda: debian.docker("inspect", "-f", "{{.State.Running}}", "app") == "true",
                    "the container runs again")


def test_installs_and_upgrades_a_package_whose_service_writes_to_the_journal(debian, tmp_path):
    for version in ("1", "2"):
        tree = tmp_path / version
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: speaks\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: Ana <ana@example.org>\nDepends: git, docker.io\n"
            "Description: says its version\n")
        (tree / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\nsystemctl daemon-reload\n"
                                              "systemctl restart speaks.service\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
        (tree / "usr/lib/systemd/system").mkdir(parents=True)
        (tree / "usr/lib/systemd/system/speaks.service").write_text(
            "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
            f"ExecStart=/bin/echo version {version} speaks\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, f"{tree}.deb"], check=True)
        debian.install(f"{tree}.deb")
        assert debian.unit_state("speaks.service") == "active"
        debian.wait_for(lambda v=version: f"version {v} speaks" in debian.journal("speaks"),
                        "the service's line is in the journal")


def test_nothing_is_left_of_a_closed_host(make_debian, release):
    host = make_debian(release)
    host.boot()
    leader, cgroup, interface = host.leader, host.cgroup, host.interface
    assert interface in debian_host.ip("link")
    host.power_off()
    assert not pathlib.Path(f"/proc/{leader}").exists()
    host.close()
    assert not cgroup.exists()
    assert interface not in debian_host.ip("link")
    assert str(host.folder) not in pathlib.Path("/proc/self/mounts").read_text()
    assert not host.folder.exists()


def test_a_root_tree_that_could_not_be_made_whole_is_not_there(tmp_path):
    target = tmp_path / "bookworm"
    done = subprocess.run([real.HERE / "make-root", "bookworm", target,
                           f"file://{tmp_path}/no-mirror", "systemd"], capture_output=True,
                          text=True, env={"PATH": real.SYSTEM_PATH, "LC_ALL": "C.UTF-8"})
    assert done.returncode != 0 and "no-mirror" in done.stdout + done.stderr
    assert not target.exists()
