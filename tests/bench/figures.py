"""What the programs that print figures have in common."""

import os
import pathlib
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import types

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests/lib")]

TICK = os.sysconf("SC_CLK_TCK")


def say(name, value, note=""):
    print(f"  {name:<58} {value:>12}  {note}", flush=True)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}")


def memory_of(pid):
    """Of a process in MB: `resident`; `share` of it, shared pages divided by who shares them (PSS);
    `private`, what nobody else maps; `anonymous`, what no file can be read for again. Pages of files
    are given back when memory is short, anonymous ones are not.
    """
    fields = dict(line.split(":", 1) for line in open(f"/proc/{pid}/smaps_rollup")
                  if ":" in line and line.rstrip().endswith("kB"))

    def sum_of(*names):
        return sum(int(fields[name].split()[0]) for name in names) * 1024 / 1e6
    return types.SimpleNamespace(resident=sum_of("Rss"), share=sum_of("Pss"),
                                 private=sum_of("Private_Clean", "Private_Dirty"),
                                 anonymous=sum_of("Anonymous"))


def say_memory(when, memory, promised=""):
    say(f"resident, {when}", f"{memory.resident:.1f} MB", promised)
    say("  its share, what others map too divided by their number", f"{memory.share:.1f} MB")
    say("  mapped by no other", f"{memory.private:.1f} MB")
    say("  anonymous, which its cgroup is charged for", f"{memory.anonymous:.2f} MB")


def cpu_of(pid):
    """CPU seconds of a process and of its children that ended."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICK


def cpu_of_children(work):
    """CPU seconds of all children that `work` runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def four_services(host):
    for name in ("proxy", "frontend", "backend", "db"):
        host.push(name)
    services = {name: {"image": host.image(name), "restart": "unless-stopped"}
                for name in ("proxy", "frontend", "backend")}
    services["db"] = {"image": host.image("db"), "volumes": ["data:/data"],
                      "restart": "unless-stopped"}
    return services


def compose_of(version):
    return ["docker-compose"] if version == "1.29" else ["/usr/bin/docker", "compose"]


def run_quietly(argv, host, folder):
    done = subprocess.run([str(a) for a in argv], cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True,
                          env={**host.environment,
                               "DOCKER_HOST": f"unix://{host.engine.socket}"})
    assert done.returncode == 0, f"{argv}: {done.stderr}"


def measure_all(measures, names):
    """Calls the named of {name: function}, each with real parts of its own and a function that
    makes hosts."""
    import parts
    from host import Host  # reads where the build is
    for name in names:
        if name not in measures:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="trimtab-bench-", dir="/var/tmp"))
        hosts = []
        try:
            with parts.Parts(folder / "parts") as real:
                def make_host(compose="2.26"):
                    own = folder / f"host{len(hosts)}"
                    own.mkdir()
                    hosts.append(Host(own, real.engine, real.registry, compose))
                    return hosts[-1]
                try:
                    measures[name](make_host)
                finally:
                    for host in hosts:
                        host.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
