"""The package on hosts that boot, are upgraded, lose their network, and whose daemons are killed."""

import json
import pathlib

import installed_stack
import pytest
from installed_stack import DIRECTORY, InstalledStack

# systemd's MESSAGE_IDs of a unit's jobs (systemd/sd-messages.h).
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
STARTED = "39f53479d3a045ac8e11786248231fbf"
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"
STOPPED = "9d1aaa27d60140bd96365438aad20286"

# What does not depend on how old systemd, Docker and Compose are.
on_one_release = pytest.mark.parametrize(
    "release", [pytest.param("trixie", marks=pytest.mark.trixie)], indirect=True)


@pytest.fixture
def shop(debian, forge, deb):
    """A host with the package and the stack's first version deployed."""
    debian.install(deb)
    stack = InstalledStack(debian, forge)
    commit = stack.push()
    stack.configure()
    debian.run(["systemctl", "reload-or-restart", "trimtabd"])
    stack.wait_synced(commit)
    debian.wait_for(lambda: debian.unit_state("shop.service") == "active", "the unit is up")
    return stack


def property_of(host, unit, name):
    return host.unit(unit)[name]


def daemon_pid(host):
    return int(property_of(host, "trimtabd", "MainPID"))


def children_of(host, pid):
    """The processes that it has started, directly, and that run."""
    return host.read(f"/proc/{pid}/task/{pid}/children").split()


def questions_to_systemd(shop, looks):
    """How often the threads beside the daemon's loop, which ask systemd once a round, have waited
    for an answer or a question, in the time of so many looks at the remote.
    """
    pid = daemon_pid(shop.host)

    def so_far():
        told = shop.host.run(["sh", "-c", f"cd /proc/{pid}/task && cat $(ls | grep -vx {pid} | "
                              "sed 's:$:/status:')"]).stdout
        return sum(int(line.split()[1]) for line in told.splitlines()
                   if line.startswith("voluntary"))
    shop.wait_looks(1)
    before = so_far()
    shop.wait_looks(looks)
    return so_far() - before


def test_installing_starts_a_daemon_that_says_how_things_are(shop):
    host = shop.host
    assert property_of(host, "trimtabd", "UnitFileState") == "enabled"
    told = property_of(host, "trimtabd", "StatusText")
    host.wait_for(lambda: "shop: release 1 (" in property_of(host, "trimtabd", "StatusText"),
                  f"the Status line tells of the release, and not {told}")
    assert "healthy 4/4" in property_of(host, "trimtabd", "StatusText")
    assert host.unit("shop.service")["UnitFileState"] == "enabled"
    # The first start of the unit, right after the deployment, changed and ran nothing again.
    assert shop.runs_of_migration() == 1
    lines = [json.loads(line) for line in host.run(
        ["journalctl", "-u", "trimtabd", "TRIMTAB_STACK=shop", "-o", "json"]
    ).stdout.splitlines()]
    phases = [line["TRIMTAB_PHASE"] for line in lines if "TRIMTAB_PHASE" in line]
    assert phases[0] == "pulling" and phases[-1] == "committing", phases
    deployed = next(line for line in lines if "is deployed" in line["MESSAGE"])
    assert deployed["TRIMTAB_RELEASE"] == "1" and len(deployed["MESSAGE_ID"]) == 32
    assert deployed["TRIMTAB_COMMIT"] == shop.git("rev-parse", "HEAD")
    if host.release != "bookworm":  # the older one scores in another way
        score = host.run(["systemd-analyze", "security", "trimtabd.service"]).stdout
        exposure = float(score.split("Overall exposure level for trimtabd.service:")[1].split()[0])
        assert exposure <= 4.0, score


def test_the_stack_boots_without_network_and_without_trimtab(shop):
    host = shop.host
    before = shop.ids()
    host.cut_network()
    host.reboot()
    shop.wait_status(lambda s: s["healthy"] == s["services"] == 4, "all services are up")
    assert shop.ids() == before and shop.runs_of_migration() == 1
    assert shop.status()["release"] == 1
    # Down before Docker, up after it.
    assert host.job_time("shop", STOPPED, -1) < host.job_time("docker", STOPPING, -1)
    assert host.job_time("docker", STARTED, 0) < host.job_time("shop", STARTING, 0)
    host.run(["systemctl", "disable", "--now", "trimtabd.service", "trimtabd.socket"])
    host.reboot()
    host.wait_for(lambda: {s: c[2] for s, c in shop.containers().items()} ==
                  {"proxy": "running", "api": "running", "cron": "running", "migrate": "exited"},
                  "the stack is up")
    assert shop.ids() == before
    host.restore_network()


def test_an_operator_who_stops_the_unit_has_stopped_the_stack(shop):
    host = shop.host
    host.run(["systemctl", "stop", "shop"])
    status = shop.wait_status(lambda s: s["state"] == "stopped", "stopped")
    assert "systemctl start shop" in status["next"]
    assert shop.states() == {"exited"}
    host.run(["systemctl", "restart", "trimtabd"])
    shop.wait_status(lambda s: s["state"] == "stopped", "still stopped after a restart")
    # Docker starts again what says `always`, and what was ended by a signal.
    host.run(["systemctl", "restart", "docker.service"])
    host.wait_for(lambda: "stopping it again" in host.journal("trimtabd")
                  and shop.states() == {"exited"}, "that is stopped again")
    shop.wait_looks(2)
    assert shop.states() == {"exited"}
    # What a person starts is left alone, also when Docker brings that back.
    host.docker("start", shop.ids()["api"])
    shop.wait_status(lambda s: "but api runs" in s["reason"], "it is told")
    host.run(["systemctl", "restart", "docker.service"])
    shop.wait_looks(2)
    assert shop.containers()["api"][2] == "running"
    host.docker("stop", shop.ids()["api"])
    # A changed configuration is no reason to start it either.
    shop.write_settings(keep=3)
    host.run(["systemctl", "reload", "trimtabd"])
    shop.wait_status(lambda s: s["state"] == "stopped" and s["git"]["checked_at"],
                     "stopped with other settings")
    assert shop.states() == {"exited"}
    commit = shop.push()
    shop.wait_status(lambda s: s["git"]["commit"] == commit, "the push is seen")
    refused = shop.trimtab("deploy", "shop", check=False)
    assert refused.returncode == 1 and "stopped" in refused.stderr
    assert shop.status()["state"] == "stopped" and shop.status()["release"] == 1
    assert shop.states() == {"exited"}
    host.run(["systemctl", "start", "shop"])
    shop.wait_synced(commit)
    # restart and reload do what one expects.
    ids, before = shop.ids(), shop.containers()
    host.run(["systemctl", "restart", "shop"])
    shop.wait_synced(commit)
    after = shop.containers()
    assert [s for s in before if after[s][1] == before[s][1]] == ["migrate"]
    host.docker("stop", ids["cron"])
    host.run(["systemctl", "reload", "shop"])
    shop.wait_synced(commit)
    assert shop.containers()["api"] == after["api"]
    assert shop.ids() == ids and shop.runs_of_migration() == 1
    # A volume that vanished meanwhile is not made anew, and the stack not started without it.
    host.run(["systemctl", "stop", "shop"])
    host.docker("rm", ids["api"])
    host.docker("volume", "rm", "shop_data")
    assert host.run(["systemctl", "start", "shop"], check=False).returncode != 0
    said = host.journal("shop")
    assert any("shop_data" in line and "found" in line for line in said.splitlines()), said
    status = shop.wait_status(lambda s: "shop_data" in s["reason"], "it is told")
    assert status["state"] == "failed" and "is gone" in status["reason"], status
    assert "docker volume create shop_data" in status["next"], status
    assert "shop_data" not in host.docker("volume", "ls", "-q").split()
    # As people restore one.
    host.docker("volume", "create", "shop_data")
    host.put("/var/lib/docker/volumes/shop_data/_data/starts", "restored\n")
    host.run(["systemctl", "start", "shop"])
    shop.trimtab("deploy", "shop", "--wait")
    shop.wait_synced(commit)
    assert host.docker("exec", shop.ids()["api"], "cat", "/data/starts").startswith("restored")


@on_one_release
def test_stopping_the_unit_in_the_middle_of_a_deployment_stops_it(shop):
    host = shop.host
    commit = shop.push_and_wait_for_gate()
    host.run(["systemctl", "stop", "shop"])
    shop.wait_status(lambda s: s["state"] == "stopped", "stopped")
    shop.wait_looks(3)
    assert shop.states() == {"exited"}
    host.run(["systemctl", "start", "shop"])
    shop.wait_synced(commit)
    # While services are being started.
    commit = shop.push()
    shop.wait_status(lambda s: s["deployment"] and s["deployment"]["phase"] in ("switching", "starting"),
                     "it starts services")
    host.run(["systemctl", "stop", "shop"])
    host.wait_for(lambda: shop.status()["deployment"] is None and shop.states() <= {
        "created", "exited"}, "the stack is down")
    shop.wait_looks(2)
    assert shop.states() <= {"created", "exited"}
    host.run(["systemctl", "start", "shop"])
    shop.wait_synced(commit)
    # While a commit waits for its image, and an operator for the commit.
    shop.write_settings(images={"interval": "1s", "wait": "1h"})
    host.run(["systemctl", "reload", "trimtabd"])
    shop.push_commit("not-there-yet")
    shop.wait_status(lambda s: s["state"] == "waiting", "it waits for its image")
    shop.trimtab("deploy", "shop")
    waiting = questions_to_systemd(shop, looks=5)
    assert shop.status()["last_request"]["outcome"] == "in_progress"
    host.run(["systemctl", "stop", "shop"])
    status = shop.wait_status(lambda s: s["state"] == "stopped" and
                              s["last_request"]["outcome"] != "in_progress", "stopped and told")
    request = status["last_request"]
    assert request["outcome"] == "failed" and "was stopped before" in request["message"]
    # That the image was to be asked for again meanwhile keeps nobody busy; it would be thirtyfold.
    assert questions_to_systemd(shop, looks=5) < 8 * waiting


def test_a_disabled_stack_stays_down_over_a_reboot(shop):
    host = shop.host
    host.run(["systemctl", "disable", "--now", "shop"])
    host.reboot()
    shop.wait_status(lambda s: s["state"] == "stopped", "stopped")
    host.wait_for(lambda: shop.states() == {"exited"}, "what Docker started is stopped again")
    shop.wait_looks(2)
    assert shop.states() == {"exited"}
    host.run(["systemctl", "enable", "--now", "shop"])
    shop.wait_synced()


@on_one_release
def test_a_unit_of_somebody_else_is_left_alone(debian, forge, deb):
    own = "[Unit]\nDescription=made by hand\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
    debian.put("/etc/systemd/system/shop.service", own)
    debian.install(deb)
    stack = InstalledStack(debian, forge)
    commit = stack.push()
    stack.configure()
    debian.run(["systemctl", "reload-or-restart", "trimtabd"])
    stack.wait_synced(commit)
    status = stack.wait_status(lambda s: s["unit"]["problem"], "the unit's problem is told")
    assert "was not written by trimtab" in status["unit"]["problem"]
    assert debian.read("/etc/systemd/system/shop.service") == own
    # Under another name it is kept.
    stack.write_settings(unit="web-shop.service")
    debian.run(["systemctl", "reload", "trimtabd"])
    debian.wait_for(lambda: debian.unit_state("web-shop.service") == "active", "the unit is up")
    # One that is changed by hand is put back, and one that is deleted too.
    text = debian.read("/etc/systemd/system/web-shop.service")
    debian.put("/etc/systemd/system/web-shop.service", text + "Nice=5\n")
    debian.wait_for(lambda: debian.read("/etc/systemd/system/web-shop.service") == text,
                    "the unit is put back")
    debian.run(["rm", "/etc/systemd/system/web-shop.service"])
    debian.wait_for(lambda: debian.exists("/etc/systemd/system/web-shop.service"),
                    "the unit is there again")
    # Under a third name, the second one boots nothing any more.
    stack.write_settings(unit="shop-2.service")
    debian.run(["systemctl", "reload", "trimtabd"])
    debian.wait_for(lambda: debian.unit_state("shop-2.service") == "active", "the unit is up")
    assert not debian.exists("/etc/systemd/system/web-shop.service")
    assert not debian.exists("/etc/systemd/system/multi-user.target.wants/web-shop.service")
    assert stack.containers()["api"][2] == "running"


def test_docker_that_is_stopped_is_not_woken_and_all_comes_back_with_it(shop):
    host = shop.host
    ids = shop.ids()
    # As an upgrade of its package does it: stop, then start.
    host.run(["systemctl", "stop", "docker.service"])
    shop.wait_status(lambda s: "Docker" in s["reason"], "it is told")
    told = shop.trimtab("deploy", "shop", "--wait", check=False)
    assert told.returncode == 1 and "Docker is stopped" in told.stdout + told.stderr, told
    shop.trimtab("plan", "shop", check=False)
    shop.wait_looks(4)
    assert host.unit_state("docker.service") == "inactive"
    host.run(["systemctl", "start", "docker.service"])
    shop.wait_synced()
    assert shop.ids() == ids and shop.runs_of_migration() == 1
    assert host.unit_state("shop.service") == "active"


def test_daemons_that_are_killed_or_hang_come_back_and_go_on(shop):
    host = shop.host
    # The daemon, while it pulls.
    commit = shop.push(filler=30_000_000)
    shop.wait_phase("pulling")
    first = daemon_pid(host)
    host.run(["kill", "-9", str(first)])
    shop.wait_synced(commit)
    assert daemon_pid(host) != first
    # Docker, while services are started.
    commit = shop.push()
    shop.wait_status(lambda s: s["deployment"] and s["deployment"]["phase"] in ("starting", "gating"),
                     "it starts services")
    host.run(["systemctl", "restart", "docker.service"])
    shop.wait_synced(commit, seconds=150)
    assert sorted(shop.containers()) == ["api", "cron", "migrate", "proxy"]
    # The bus.
    bus = property_of(host, "dbus", "MainPID")
    host.run(["systemctl", "restart", "dbus.service"], check=False)
    host.wait_for(lambda: property_of(host, "dbus", "MainPID") not in ("0", bus), "a new bus")
    host.run(["systemctl", "stop", "shop"])
    shop.wait_status(lambda s: s["state"] == "stopped", "it sees units after the bus came back")
    host.run(["systemctl", "start", "shop"])
    shop.wait_synced(commit)
    # One that hangs is noticed.
    host.put("/etc/systemd/system/trimtabd.service.d/fast.conf", "[Service]\nWatchdogSec=3\n")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "restart", "trimtabd"])
    hanging = daemon_pid(host)
    host.cut_network()

    def hangs_with_children():
        host.run(["kill", "-STOP", str(hanging)])
        children = children_of(host, hanging)
        if not children:
            host.run(["kill", "-CONT", str(hanging)])
        return children
    left = host.wait_for(hangs_with_children, "it asks a remote that does not answer")
    host.wait_for(lambda: daemon_pid(host) not in (0, hanging), "the watchdog starts another")
    # Of what the first one had started nothing is left.
    assert not [pid for pid in left if host.exists(f"/proc/{pid}")]
    host.restore_network()
    shop.wait_synced(commit)


def test_an_upgrade_in_the_middle_of_a_deployment_resumes_it(shop, deb, tmp_path):
    host = shop.host
    kept = {name: shop.containers()[name] for name in ("proxy", "cron", "migrate")}
    newer = installed_stack.repack(deb, "9.0.0", tmp_path)
    # The gate lasts until the daemon that reads the shorter time has come.
    commit = shop.push_and_wait_for_gate(stable="110s")
    shop.write_settings(gate={"stable": "1s", "timeout": "60s"})
    before = daemon_pid(host)
    host.install(newer)
    assert daemon_pid(host) not in (0, before)
    shop.wait_synced(commit, seconds=150)
    assert "resuming release 2, found in phase gating" in host.journal("trimtabd")
    assert {name: shop.containers()[name] for name in kept} == kept
    assert shop.runs_of_migration() == 1
    assert [r["outcome"] for r in shop.releases()] == ["good", "good"]


def test_a_reboot_in_the_middle_of_a_deployment_ends_with_one_whole_release(shop):
    host = shop.host
    commit = shop.push_and_wait_for_gate()
    host.cut_network()
    host.crash()
    host.boot()
    # The remote cannot be reached, and nothing is pulled.
    shop.wait_status(lambda s: s["deployment"] is None and (s["release"], s["commit"]) == (2, commit)
                     and s["healthy"] == s["services"] == 4, "the new release is whole")
    assert shop.version_served("api") == "2"
    host.restore_network()


@on_one_release
def test_a_docker_that_comes_late_at_boot_is_waited_for(shop):
    host = shop.host
    host.power_off()
    host.run(["systemctl", "mask", "docker.service", "docker.socket"])
    host.boot()
    shop.wait_status(lambda s: "Docker" in s["reason"], "it is told")
    host.run(["systemctl", "unmask", "docker.service", "docker.socket"])
    host.run(["systemctl", "start", "docker.service"])
    shop.wait_synced(seconds=120)


@on_one_release
def test_another_host_key_of_the_remote_is_refused(shop):
    host = shop.host
    pinned = pathlib.Path(shop.forge.settings["KNOWN_HOSTS_OTHER"]).read_text()
    host.put("/etc/trimtab/known_hosts.shop", pinned)
    commit = shop.push()
    status = shop.wait_status(lambda s: s["state"] == "failed", "the remote is not trusted")
    assert "host key" in status["reason"]
    assert host.read("/etc/trimtab/known_hosts.shop") == pinned
    assert shop.status()["release"] == 1
    host.put("/etc/trimtab/known_hosts.shop",
             pathlib.Path(shop.forge.settings["KNOWN_HOSTS"]).read_text())
    shop.wait_synced(commit)


@on_one_release
def test_a_secret_may_be_a_credential_of_the_service(shop):
    host = shop.host
    host.run(["mv", "/etc/trimtab/keys/shop", "/root/shop-key"])
    host.put("/etc/systemd/system/trimtabd.service.d/key.conf",
             "[Service]\nLoadCredential=shop-key:/root/shop-key\n")
    shop.settings["git"]["key"] = "/run/credentials/trimtabd.service/shop-key"
    shop.write_settings()
    # The command sees no credentials, and does not call them missing.
    assert host.run(["trimtab", "check"]).returncode == 0
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "restart", "trimtabd"])
    shop.wait_synced(shop.push())


@on_one_release
def test_a_pause_and_a_changed_configuration(shop):
    host = shop.host
    shop.trimtab("pause", "shop")
    host.run(["systemctl", "restart", "trimtabd"])
    shop.write_settings(keep=3)
    host.run(["systemctl", "reload", "trimtabd"])
    commit = shop.push()
    shop.wait_status(lambda s: s["git"]["commit"] == commit, "the push is seen")
    assert shop.status()["state"] == "paused" and shop.status()["release"] == 1
    # What is wrong in a file changes nothing of what it said.
    host.put("/etc/trimtab/stacks.d/shop.yaml", "git: {url: /x, reff: main}\n")
    host.run(["systemctl", "reload", "trimtabd"])
    host.wait_for(lambda: 'unknown key' in json.dumps(json.loads(
        shop.trimtab("status", "--json").stdout)["problems"]), "the mistake is told")
    assert shop.status()["state"] == "paused"
    shop.write_settings()
    host.run(["systemctl", "reload", "trimtabd"])
    shop.trimtab("resume", "shop")
    shop.wait_synced(commit)
    # A stack that leaves the configuration runs on.
    host.run(["rm", "/etc/trimtab/stacks.d/shop.yaml"])
    host.run(["systemctl", "reload", "trimtabd"])
    host.wait_for(lambda: not json.loads(shop.trimtab("status", "--json").stdout)["stacks"],
                  "it is no longer kept")
    assert {c[2] for s, c in shop.containers().items() if s != "migrate"} == {"running"}
    # What becomes of its unit is no concern of the daemon any more.
    pid = daemon_pid(host)
    host.run(["systemctl", "stop", "shop"])
    host.run(["systemctl", "start", "shop"])
    shop.trimtab("status")
    assert daemon_pid(host) == pid


def test_removing_leaves_a_stack_that_boots_and_purging_leaves_what_is_the_users(shop):
    host = shop.host
    before, running = shop.ids(), shop.containers()
    host.put(f"{DIRECTORY}/.env", "SECRET=1\n")
    host.run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "remove", "--yes", "trimtab"])
    assert not host.exists("/usr/sbin/trimtabd")
    assert shop.containers() == running
    host.reboot()
    host.wait_for(lambda: {c[2] for s, c in shop.containers().items() if s != "migrate"}
                  == {"running"}, "the stack is up without trimtab")
    assert shop.ids() == before
    running = shop.containers()
    host.run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "--yes", "trimtab"])
    assert not host.exists("/etc/trimtab") and not host.exists("/var/lib/trimtab")
    for unit in ("shop.service", "multi-user.target.wants/shop.service"):
        assert not host.exists(f"/etc/systemd/system/{unit}")
    assert shop.containers() == running
    assert host.read(f"{DIRECTORY}/.env") == "SECRET=1\n"
    assert host.exists(f"{DIRECTORY}/compose.yaml")
    assert "shop_data" in host.docker("volume", "ls", "-q").split()
