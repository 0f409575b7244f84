"""A new instance on which trimtab and a first stack are set up, by the launch script or by init."""

import pathlib
import subprocess

import pytest
from installed_stack import InstalledStack

LAUNCH = pathlib.Path(__file__).parents[2] / "packaging/lightsail/launch.sh"


def listening(host):
    """The sockets of the network that something listens on, {(protocol, address)}."""
    lines = host.run(["ss", "-Hltun"]).stdout.splitlines()
    return {(line.split()[0], line.split()[4]) for line in lines}


def launch(host, *settings, check=True):
    return host.run(["sh", "/root/launch.sh", *settings], check=check, timeout=300)


@pytest.fixture
def fresh(debian, deb, forge):
    """A host with the launch script, and the package as a file and on the web server."""
    debian.put("/root/launch.sh", LAUNCH.read_text())
    debian.put("/root/trimtab.deb", deb.read_bytes())
    served = pathlib.Path(forge.settings["REPOS"]) / "trimtab.deb"
    served.write_bytes(deb.read_bytes())
    return debian


def test_the_launch_script_makes_an_instance_that_deploys_and_may_run_twice(fresh, forge):
    host = fresh
    stack = InstalledStack(host, forge)
    commit = stack.push()
    settings = ["PACKAGE=/root/trimtab.deb", "STACK=shop",
                f"GIT_URL={stack.settings['git']['url']}",
                f"KNOWN_HOSTS={pathlib.Path(forge.settings['KNOWN_HOSTS']).read_text()}"]
    open_before = listening(host)
    said = launch(host, *settings).stdout
    key = host.read("/etc/trimtab/keys/shop.pub")
    assert key.startswith("ssh-ed25519 ") and key in said, said
    assert host.run(["stat", "-c", "%a %U", "/etc/trimtab/keys/shop"]).stdout == "600 root\n"
    assert "ref" not in host.read("/etc/trimtab/stacks.d/shop.yaml")
    assert host.run(["trimtab", "check"]).returncode == 0
    # Nobody let the key in yet, and that is what it says.
    told = stack.wait_status(lambda s: s["state"] == "failed", "the key is refused")
    assert "deploy key" in told["reason"] + told["next"], told

    with open(forge.settings["AUTHORIZED_KEYS"], "a") as authorized:
        authorized.write(key)
    stack.trimtab("deploy", "shop", "--wait")
    stack.wait_synced(commit)
    assert listening(host) == open_before

    files = ["/etc/trimtab/keys/shop", "/etc/trimtab/known_hosts",
             "/etc/trimtab/stacks.d/shop.yaml"]
    before = host.run(["sha256sum", *files]).stdout, host.unit("trimtabd")["MainPID"]
    again = launch(host, *settings).stdout
    assert "is not changed" in again and key in again
    assert (host.run(["sha256sum", *files]).stdout, host.unit("trimtabd")["MainPID"]) == before
    assert listening(host) == open_before and not host.exists("/swapfile")
    stack.wait_synced(commit)


def test_the_launch_script_fetches_the_package_and_refuses_another(fresh, forge, deb):
    host = fresh
    address = f"{forge.settings['HTTP_DUMB']}/trimtab.deb"
    for settings, why in (
            ([f"PACKAGE={address}"], "needs SHA256"),
            ([f"PACKAGE={address}", f"SHA256={'0' * 64}"], "the package's SHA-256 is not"),
            (["PACKAGE=trimtab.deb"], "neither an https address nor an absolute path"),
            (["PACKAGE=/root/other.deb"], "there is no file /root/other.deb"),
            (["PACKAGE=/root/trimtab.deb", "SWAP=1"], "there is no setting SWAP"),
            (["PACKAGE=/root/trimtab.deb", "STACK=../shop"], "is no name"),
            (["PACKAGE=/root/trimtab.deb", "STACK=-x"], "is no name"),
            (["PACKAGE=/root/trimtab.deb", "GIT_URL=git@example.com:acme/shop.git"],
             "KNOWN_HOSTS is missing")):
        refused = launch(host, *settings, check=False)
        assert refused.returncode == 1 and why in refused.stderr, (settings, refused)
        assert not host.exists("/usr/sbin/trimtabd")
    digest = subprocess.run(["sha256sum", deb], check=True, capture_output=True,
                            text=True).stdout.split()[0]
    launch(host, f"PACKAGE={address}", f"SHA256={digest}")
    assert host.unit_state("trimtabd") == "active"
    assert host.run(["find", "/etc/trimtab/stacks.d", "-type", "f"]).stdout == ""


def test_the_launch_script_prepares_swap_on_a_small_instance(fresh):
    host = fresh
    # The memory is the machine's, and a host's root lies on overlayfs, which takes no swap.
    memory = host.read("/proc/meminfo").splitlines()
    host.put("/root/meminfo", "\n".join(["MemTotal: 950000 kB", *memory[1:]]) + "\n")
    host.put("/root/swaps", "Filename Type Size Used Priority\n")
    for name in ("meminfo", "swaps"):
        host.run(["mount", "--bind", f"/root/{name}", f"/proc/{name}"])
    host.put("/usr/local/sbin/swapon", "#!/bin/sh\n"
             "echo \"$1 file 65532 0 -2\" >>/root/swaps\n", mode="0755")
    for _ in range(2):
        launch(host, "PACKAGE=/root/trimtab.deb", "SWAP_MIB=64")
        told = host.run(["stat", "-c", "%a %s", "/swapfile"]).stdout.split()
        assert told == ["600", str(64 * 1024 * 1024)]
        assert "SWAPSPACE2" in host.run(["dd", "if=/swapfile", "bs=10", "skip=4086", "count=1",
                                         "iflag=skip_bytes", "status=none"]).stdout
        assert host.read("/etc/fstab").count("/swapfile none swap sw 0 0") == 1
        assert host.read("/root/swaps").count("/swapfile file") == 1
    assert not host.exists("/swapfile.new")


def test_init_by_flags_sets_up_a_stack_that_the_next_push_deploys(debian, forge, deb):
    debian.install(deb)
    stack = InstalledStack(debian, forge)
    commit = stack.push()
    debian.put("/root/deploy-key", pathlib.Path(forge.settings["SSH_KEY"]).read_text(), "0600")
    fingerprint = subprocess.run(["ssh-keygen", "-lf", forge.settings["KNOWN_HOSTS"]], check=True,
                                 capture_output=True, text=True).stdout.split()[1]
    init = ["trimtab", "init", "--name", "shop", "--url", stack.settings["git"]["url"],
            "--key", "/root/deploy-key", "--yes"]
    # A host that nobody vouches for is not trusted.
    refused = debian.run(init, check=False)
    assert refused.returncode == 1 and "fingerprint" in refused.stderr + refused.stdout
    assert not debian.exists("/etc/trimtab/stacks.d/shop.yaml")
    said = debian.run([*init, "--host-fingerprint", fingerprint]).stdout
    assert "systemctl reload trimtabd" in said, said
    assert debian.run(["trimtab", "check"]).returncode == 0
    debian.run(["systemctl", "reload", "trimtabd"])
    stack.wait_synced(commit)
    stack.wait_synced(stack.push())
