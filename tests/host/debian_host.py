"""Debian hosts that boot systemd with their own Docker Engine, and the network that they are on.

A host boots a copy of its release's root tree, which tests/lib/parts makes. It needs no network,
and refuses to run where there is one: run it by tests/lib/isolated.

Needs root, debootstrap and systemd-nspawn (Debian's systemd-container); overlayfs, veth and
bridges in the kernel; a cgroup2 hierarchy, be it beside the older ones; TMPDIR on a disk, not on
overlayfs. Systemd need not run on the machine itself. A host that lies beside older hierarchies has
none of the controllers that those hold: Docker then sets no limits, and systemd counts no memory.
Python 3.11, nothing but the standard library.
"""

import contextlib
import itertools
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))

import parts as real  # noqa: E402

LIBRARY = pathlib.Path(__file__).parents[1] / "lib"

# ---- The network --------------------------------------------------------------------------------

class Network:
    """A bridge on which the hosts are, and the address on it where the tests serve Git and images.

    It is the whole world to the hosts: no way leads out of it.
    """

    BRIDGE = "trimtab0"
    ADDRESS = "10.77.0.1"

    def __init__(self):
        self.numbers = itertools.count(11)
        if ip("route", "show", "default"):
            raise real.PartFailed("this machine's own network is in reach of the hosts: "
                                  "run this by tests/lib/isolated")
        ip("link", "add", self.BRIDGE, "type", "bridge")
        ip("address", "add", f"{self.ADDRESS}/24", "dev", self.BRIDGE)
        ip("link", "set", self.BRIDGE, "up")

    def next_address(self):
        return f"10.77.0.{next(self.numbers)}"

    def close(self):
        ip("link", "delete", self.BRIDGE)


def ip(*arguments):
    """Runs `ip` and returns its output."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True,
                          env={"PATH": real.SYSTEM_PATH})
    if done.returncode != 0:
        raise real.PartFailed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Forge:
    """Git by SSH and HTTPS and a registry by TLS, on the network's address.

    `settings` are what tests/lib/git_servers tells; `registry` is a parts.Registry; `ca_file`
    signed the certificates of both.
    """

    def __init__(self, folder, network):
        self.folder = pathlib.Path(folder)
        self.settings = {}
        self.registry = None
        environment = {"PATH": real.SYSTEM_PATH, "LC_ALL": "C.UTF-8"}
        self.log = self.folder / "git_servers.log"
        with open(self.log, "wb") as log:
            self.git_servers = subprocess.Popen(
                [LIBRARY / "git_servers", self.folder / "git", network.ADDRESS],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment)
        try:
            for line in self.git_servers.stdout:
                key, _, value = line.rstrip("\n").partition("=")
                self.settings[key] = value
                if key == "READY":
                    break
            else:
                raise real.PartFailed(f"git_servers ended: {self.log.read_text()}")
            self.ca_file = pathlib.Path(self.settings["CA_FILE"])
            self.registry = real.Registry(self.folder / "registry", address=network.ADDRESS,
                                          certificates=self.ca_file.parent)
            self.registry.start()
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.registry:
            self.registry.stop()
        self.git_servers.stdin.close()
        self.git_servers.wait(20)
        self.git_servers.stdout.close()


# ---- Hosts --------------------------------------------------------------------------------------

class DebianHost:
    """One host: a copy of its release's tree that is booted, rebooted and crashed at will.

    Its files are those of the tree with what it changed in `folder`, but for Docker's, which lie
    in a plain folder there. It is at `address` in the network. Nothing of it runs or is mounted
    after `close`.
    """

    def __init__(self, folder, release, network):
        self.folder = pathlib.Path(folder)
        self.release = release
        self.network = network
        self.address = network.next_address()
        # Short, since the name of its network interface is bounded; not used twice on a machine.
        self.name = f"{real.RELEASES[release].short}-{secrets.token_hex(3)}"
        self.interface = f"ve-{self.name}"
        self.root = self.folder / "root"
        self.connected = True
        self.nspawn = None
        self.leader = None
        self.cgroup = cgroup2_folder() / f"trimtab-{self.name}"
        self._mount_root()
        self.put("/etc/hostname", f"{self.name}\n")
        self.put("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        self.put("/etc/systemd/network/10-host0.network",
                 "[Match]\nName=host0\n\n[Network]\n"
                 f"Address={self.address}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n")

    def _mount_root(self):
        tree = real.root_tree(self.release)
        for name in ("root", "upper", "work", "docker"):
            (self.folder / name).mkdir(parents=True)
        subprocess.run(
            ["mount", "-t", "overlay", "-o",
             f"lowerdir={tree},upperdir={self.folder}/upper,workdir={self.folder}/work",
             "overlay", self.root], check=True)

    # -- power -------------------------------------------------------------------------------------

    def boot(self, seconds=90):
        """Starts the host; returns once systemd has started all that it starts at boot."""
        assert self.nspawn is None, f"{self.name} runs already"
        deadline = time.monotonic() + seconds
        self.cgroup.mkdir()
        notify = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as events:
            events.bind(str(notify))
            try:
                self._start_nspawn(notify)
                self._wait_for_boot(events, deadline)
            finally:
                notify.unlink()
        state = self.run(["systemctl", "is-system-running"], check=False).stdout.strip()
        if state not in ("running", "degraded"):
            raise real.PartFailed(f"{self.name} is {state} after its boot; {self._last_words()}")

    def _start_nspawn(self, notify):
        self.nspawn = real.Process(
            "console",
            # A shell goes into the cgroup and becomes nspawn, which takes its cgroup for its own.
            ["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', self.cgroup,
             "systemd-nspawn", "--directory", self.root, "--machine", self.name, "--boot",
             "--settings=no", "--register=no", "--keep-unit", "--private-users=no",
             # What Docker needs, but for the machine's modules and clock.
             "--capability=all",
             "--drop-capability=CAP_SYS_RESOURCE,CAP_SYS_MODULE,CAP_SYS_TIME",
             "--system-call-filter=add_key keyctl bpf",
             "--bind", f"{self.folder}/docker:/var/lib/docker",
             "--network-veth", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
             "--console=read-only", "--notify-ready=yes"],
            self.folder,
            {"PATH": real.SYSTEM_PATH, "LC_ALL": "C.UTF-8", "NOTIFY_SOCKET": str(notify),
             "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.nspawn.start()

    def _wait_for_boot(self, events, deadline):
        """nspawn tells first which process is the host's systemd, then what that tells itself."""
        events.settimeout(0.5)
        while True:
            if not self.nspawn.running():
                raise real.PartFailed(f"{self.name} did not boot; {self._last_words()}")
            if time.monotonic() > deadline:
                raise real.PartFailed(f"{self.name} does not end to boot; {self._last_words()}")
            try:
                lines = events.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
            for line in lines:
                key, _, value = line.partition("=")
                if key == "X_NSPAWN_LEADER_PID":
                    self.leader = int(value)
                    ip("link", "set", self.interface, "up")
                    if self.connected:
                        self.restore_network()
                elif key == "READY" and value == "1":
                    return

    def reboot(self):
        """A clean reboot; returns once the host is up again."""
        # nspawn leaves the second boot to its caller by an exit code.
        self._end(133, "systemctl", "reboot")
        self.boot()

    def power_off(self):
        """A clean end."""
        self._end(0, "systemctl", "poweroff")

    def _end(self, code, *command):
        self.run(command)
        try:
            ended = self.nspawn.child.wait(90)
        except subprocess.TimeoutExpired:
            raise real.PartFailed(f"{self.name} does not end by {command}; "
                                  f"{self._last_words()}") from None
        self._forget_boot()
        if ended != code:
            raise real.PartFailed(f"{self.name} ended with {ended}; {self._last_words()}")

    def crash(self):
        """Ends every process at once, with nothing asked. Files stay as they were written."""
        if self.leader:
            # All processes of the host are in the process namespace that ends with its first one.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
        elif self.nspawn:
            self.nspawn.child.kill()
        if self.nspawn:
            try:
                self.nspawn.child.wait(20)
            except subprocess.TimeoutExpired:
                self.nspawn.child.kill()
                self.nspawn.child.wait()
            self._forget_boot()

    def _forget_boot(self):
        self.nspawn = self.leader = None
        # What is in a cgroup is gone only some time after the processes that were in it.
        real.wait_until(lambda: not remove_cgroup(self.cgroup), f"{self.cgroup} is empty")

    def close(self):
        """Ends the host for good; a second time does nothing."""
        if not self.folder.exists():
            return
        self.crash()
        subprocess.run(["umount", self.root], check=True)
        shutil.rmtree(self.folder)

    def _last_words(self):
        return self.nspawn.last_words(40) if self.nspawn else "it is not running"

    # -- network -----------------------------------------------------------------------------------

    def cut_network(self):
        """What the host sends goes nowhere from now on, also after a boot; its link stays up."""
        self.connected = False
        if self.leader:
            ip("link", "set", self.interface, "nomaster")

    def restore_network(self):
        self.connected = True
        if self.leader:
            ip("link", "set", self.interface, "master", self.network.BRIDGE)

    # -- inside ------------------------------------------------------------------------------------

    def run(self, argv, input=None, check=True, timeout=120):
        """Runs a command as root on the host, also on one that is off, and returns the
        CompletedProcess with its texts. Its environment has nothing of the caller's.

        With `check`, another exit code than 0 raises PartFailed with the command's output.
        """
        argv = [str(a) for a in argv]
        if self.leader:
            inside = ["nsenter", "--target", str(self.leader), "--all"]
        else:
            inside = ["chroot", str(self.root)]
        done = subprocess.run(
            [*inside, "/usr/bin/env", "--chdir=/", "-i", f"PATH={real.SYSTEM_PATH}", "HOME=/root",
             "LC_ALL=C.UTF-8", *argv],
            input=input if input is not None else "", capture_output=True, timeout=timeout,
            text=not isinstance(input, bytes), env={"PATH": real.SYSTEM_PATH})
        if check and done.returncode != 0:
            raise real.PartFailed(f"{self.name}: {' '.join(argv)} ended with {done.returncode}: "
                                  f"{done.stdout}{done.stderr}")
        return done

    def put(self, path, content, mode="0644"):
        """Writes a file, text or bytes, with the folders that it needs."""
        self.run(["mkdir", "-p", pathlib.PurePosixPath(path).parent])
        self.run(["dd", "status=none", f"of={path}"], input=content)
        self.run(["chmod", mode, path])

    def read(self, path):
        """The text of a file."""
        return self.run(["cat", path]).stdout

    def exists(self, path):
        return self.run(["test", "-e", path], check=False).returncode == 0

    def install(self, *packages):
        """Installs .deb files of this machine; what they depend on must be in the tree already."""
        paths = []
        for package in packages:
            paths.append(f"/var/tmp/{pathlib.Path(package).name}")
            self.put(paths[-1], pathlib.Path(package).read_bytes())
        return self.run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes",
                         "--no-install-recommends", "--allow-downgrades",
                         "-o", "DPkg::Options::=--force-confold", *paths])

    def trust(self, ca_file):
        """Makes the host trust a certificate authority, as an administrator does."""
        self.put(f"/usr/local/share/ca-certificates/{pathlib.Path(ca_file).stem}.crt",
                 pathlib.Path(ca_file).read_text())
        self.run(["update-ca-certificates"])

    def journal(self, unit, *arguments):
        """The texts of a unit's journal, of all boots; `arguments` are journalctl's, such as -b."""
        return self.run(["journalctl", "--no-pager", "--output=cat", "--unit", unit,
                         *arguments]).stdout

    def job_time(self, unit, message_id, boot):
        """When systemd last told of the service what the id stands for; microseconds, comparable
        within a boot. `boot`: 0 is this one, -1 the one before.
        """
        lines = self.run(["journalctl", "--boot", str(boot), "--output=json",
                          f"UNIT={unit}.service", f"MESSAGE_ID={message_id}"]).stdout.splitlines()
        if not lines:
            raise real.PartFailed(f"{self.name}: no job {message_id} of {unit} in boot {boot}")
        return int(json.loads(lines[-1])["__MONOTONIC_TIMESTAMP"])

    def last_journal(self):
        """The end of the whole journal, read in a way that asks nothing of the running host."""
        done = subprocess.run(["chroot", self.root, "journalctl", "--no-pager", "--lines=100"],
                              capture_output=True, text=True, timeout=20,
                              env={"PATH": real.SYSTEM_PATH, "LC_ALL": "C.UTF-8"})
        return done.stdout + done.stderr

    def unit(self, name):
        """What `systemctl show` says of a unit, {property: text}."""
        shown = self.run(["systemctl", "show", "--all", name]).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def unit_state(self, name):
        """active, inactive, activating, deactivating, reloading or failed."""
        return self.unit(name)["ActiveState"]

    def docker(self, *arguments, input=None, check=True):
        """Runs the docker client and returns its output."""
        return self.run(["docker", *arguments], input=input, check=check).stdout.strip()

    def wait_for(self, predicate, what, seconds=60, pause=0.1):
        """Calls `predicate` until it gives something true, and returns that; a command that fails
        counts as "not yet", a host that is down does not.
        """
        def holds():
            if self.nspawn is not None and not self.nspawn.running():
                raise HostDown(f"{self.name} went down; {self._last_words()}")
            try:
                return predicate()
            except real.PartFailed as e:
                raise AssertionError(e) from None
        return real.wait_until(holds, f"{self.name}: {what}", seconds, pause)


class HostDown(Exception):
    """A host ended although nobody asked it to."""


def cgroup2_folder():
    """Where the cgroup2 hierarchy is mounted, which may be beside older ones."""
    # A later mount hides earlier ones.
    for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(folder)
    raise real.PartFailed("no cgroup2 hierarchy is mounted, which systemd's hosts need")


def remove_cgroup(folder):
    """Removes an empty cgroup with all below it; whether there is anything left of it."""
    with contextlib.suppress(OSError):
        for path, _, _ in os.walk(folder, topdown=False):
            os.rmdir(path)
    return folder.exists()
