"""trimtab's package on a Debian host, and one stack that it keeps there."""

import json
import pathlib
import subprocess

import parts as real

DIRECTORY = "/srv/shop"
STATE = "/var/lib/trimtab/shop"
# Between two looks at what stays, in seconds: each look starts programs on the host.
SELDOM = 0.3


def repack(deb, version, folder):
    """The same package under another version, as a newer build would be."""
    tree = pathlib.Path(folder) / f"tree-{version}"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    lines = [f"Version: {version}" if line.startswith("Version:") else line
             for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    target = pathlib.Path(folder) / f"trimtab_{version}_amd64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, target], check=True,
                   capture_output=True)
    return target


class InstalledStack:
    """The stack `shop` of three services, deployed over SSH from the forge."""

    def __init__(self, host, forge, **settings):
        self.host = host
        self.forge = forge
        self.origin = pathlib.Path(forge.settings["REPOS"]) / f"{host.name}.git"
        self.work = pathlib.Path(forge.folder) / f"work-{host.name}"
        self.registry = forge.registry
        self.version = 0
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.origin], check=True)
        subprocess.run(["git", "clone", "-q", self.origin, self.work], check=True,
                       capture_output=True)
        self.settings = {
            "git": {"url": f"{forge.settings['SSH']}/{host.name}.git", "ref": "main",
                    "interval": "1s", "key": "/etc/trimtab/keys/shop",
                    "known_hosts": "/etc/trimtab/known_hosts.shop"},
            "gate": {"stable": "1s", "timeout": "60s"}, **settings}

    def image(self, name, tag):
        return f"{self.registry.address}/{self.host.name}/{name}:{tag}"

    def push_images(self, version, behaviour="serve", **more):
        self.registry.push_image(f"{self.host.name}/api", version, version, behaviour, **more)

    def compose_file(self, version):
        return json.dumps({
            "version": "3.4",
            "services": {
                # When it is stopped it ends by the signal, which Docker takes for a failure.
                "proxy": {"image": self.image("proxy", "1"), "restart": "on-failure:5",
                          "stop_signal": "SIGKILL"},
                "api": {"image": self.image("api", version), "restart": "always",
                        "volumes": ["data:/data"]},
                # Docker never starts it by itself.
                "cron": {"image": self.image("cron", "1")},
                "migrate": {"image": self.image("migrate", "1"), "volumes": ["runs:/data"]}},
            "volumes": {"data": {}, "runs": {}}})

    def push(self, behaviour="serve", **more):
        """Pushes another version of the service api, and its image; returns the commit."""
        self.version += 1
        version = str(self.version)
        if self.version == 1:
            for name in ("proxy", "cron"):
                self.registry.push_image(f"{self.host.name}/{name}", "1", name)
            self.registry.push_image(f"{self.host.name}/migrate", "1", "1", "job 0", health=False)
        self.push_images(version, behaviour, **more)
        return self.push_commit(version)

    def push_commit(self, version):
        """Pushes a commit with that version of the service api, whether its image is there or not."""
        (self.work / "compose.yaml").write_text(self.compose_file(version))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Version {version}")
        self.git("push", "-q", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=self.work, check=True, capture_output=True, text=True,
            env={"PATH": real.SYSTEM_PATH, "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
                 "GIT_AUTHOR_NAME": "Ana", "GIT_AUTHOR_EMAIL": "ana@example.org",
                 "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.org"})
        return done.stdout.strip()

    def configure(self):
        """Writes the stack's file, its key and its pinned host key."""
        self.host.put("/etc/trimtab/keys/shop",
                      pathlib.Path(self.forge.settings["SSH_KEY"]).read_text(), "0600")
        self.host.put("/etc/trimtab/known_hosts.shop",
                      pathlib.Path(self.forge.settings["KNOWN_HOSTS"]).read_text())
        self.write_settings()

    def write_settings(self, **more):
        self.settings.update(more)
        # JSON is YAML.
        self.host.put("/etc/trimtab/stacks.d/shop.yaml", json.dumps(self.settings, indent=1))

    # -- what trimtab says -------------------------------------------------------------------------

    def trimtab(self, *arguments, check=True):
        return self.host.run(["trimtab", *arguments], check=check)

    def status(self):
        """The stack's status; PartFailed while the daemon does not answer."""
        answer = json.loads(self.trimtab("status", "shop", "--json").stdout)
        return answer["stacks"][0] if "stacks" in answer else answer

    def wait_status(self, predicate, what, seconds=60, pause=0.1):
        """Waits until the status is as wanted, and returns it."""
        def holds():
            status = self.status()
            return status if predicate(status) else None
        try:
            return self.host.wait_for(holds, what, seconds, pause)
        except real.PartFailed as e:
            raise real.PartFailed(f"{e}\nstatus: {self.trimtab('status', 'shop', check=False)}"
                                  ) from None

    def wait_synced(self, commit=None, seconds=90):
        return self.wait_status(
            lambda s: s["state"] == "synced" and s["healthy"] == s["services"] == 4
            and (commit is None or s["commit"] == commit),
            f"shop runs {commit or ''}", seconds, SELDOM)

    def wait_looks(self, count):
        """Waits until the remote was asked so often anew, after each of which the stack is looked at."""
        for _ in range(count):
            last = self.status()["git"]["checked_at"]
            self.wait_status(lambda s, last=last: s["git"]["checked_at"] != last, "another look",
                             pause=SELDOM)

    def wait_phase(self, phase):
        """Waits until a deployment is in the phase."""
        self.wait_status(lambda s: s["deployment"] and s["deployment"]["phase"] == phase, phase)

    def push_and_wait_for_gate(self, stable="8s"):
        """Pushes a version that is watched for long, and returns its commit once that goes on."""
        self.write_settings(gate={"stable": stable, "timeout": "120s"})
        self.host.run(["systemctl", "reload", "trimtabd"])
        commit = self.push()
        self.wait_phase("gating")
        return commit

    def releases(self):
        return json.loads(self.trimtab("history", "shop", "--json").stdout)["releases"]

    # -- what Docker says --------------------------------------------------------------------------

    def containers(self):
        """{service: (id, time of its start, state)}; there uses each."""
        lines = self.host.docker(
            "ps", "-aq", "--no-trunc", "--filter", "label=com.docker.compose.project=shop").split()
        found = {}
        for line in lines:
            told = json.loads(self.host.docker("inspect", line))[0]
            assert told["Config"]["Labels"]["com.docker.compose.service"] not in found, lines
            found[told["Config"]["Labels"]["com.docker.compose.service"]] = (
                told["Id"], told["State"]["StartedAt"], told["State"]["Status"])
        return found

    def ids(self):
        return {service: told[0] for service, told in self.containers().items()}

    def version_served(self, service):
        """The version that the service's container answers with."""
        container = self.ids()[service]
        return self.host.docker("exec", container, "wget", "-qO-", "http://127.0.0.1:8080/")

    def states(self):
        return {told[2] for told in self.containers().values()}

    def runs_of_migration(self):
        """How often the one-shot service has run, from its volume."""
        mount = self.host.docker("volume", "inspect", "-f", "{{.Mountpoint}}", "shop_runs")
        return len(self.host.read(f"{mount}/starts").split())
