"""A disk of a test's own, whose power can be cut: ext4 in a file, on a loop device."""

import contextlib
import os
import pathlib
import signal
import subprocess

SIZE = 64 << 20

# As Debian mounts it, and so that nothing is written before somebody asks for it: no commit of the
# journal every five seconds, no flush of what a rename has put in another file's place.
MOUNT_OPTIONS = ("errors=remount-ro", "errors=remount-ro,commit=300,noauto_da_alloc")


class Disk:
    """Has each of `folders`, which are empty, lie on a disk of its own making.

    The file of the disk lies in memory below `folder`, so that syncing takes no time. Linux alone
    decides what is written to it and when, as with any disk.
    """

    def __init__(self, folder, folders):
        self.folder = pathlib.Path(folder)
        self.folders = [pathlib.Path(f) for f in folders]
        self.mounted = []
        self.images = self.folder / "images"
        self.place = self.folder / "mounted"
        for made in (self.images, self.place, *self.folders):
            made.mkdir(parents=True)
        self.mount("-t", "tmpfs", "tmpfs", self.images)
        self.number = 0
        self.attach(self.format())

    def new_image(self):
        self.number += 1
        return self.images / str(self.number)

    def format(self):
        """Makes an empty one, to be put in place by `replace`."""
        image = self.new_image()
        with open(image, "wb") as file:
            file.truncate(SIZE)
        subprocess.run(["/usr/sbin/mkfs.ext4", "-q", image], check=True)
        return image

    def mount(self, *arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)
        self.mounted.append(arguments[-1])

    def attach(self, image, options=MOUNT_OPTIONS[0]):
        self.image = image
        self.mount("-o", f"loop,{options}", self.image, self.place)
        for number, folder in enumerate(self.folders):
            lies = self.place / f"{number}-{folder.name}"
            lies.mkdir(exist_ok=True)
            self.mount("--bind", lies, folder)

    def detach(self, down_to=0):
        # Lazily: containers hold on to what they have mounted.
        while len(self.mounted) > down_to:
            subprocess.run(["umount", "--lazy", self.mounted.pop()], check=True)

    def copy(self):
        """Copies the disk as it is at one moment, without having anything written to it.

        Linux may write meanwhile. A copy that equals the original after it was made is what that
        was in between: no block of it has changed after it was read.
        """
        image = self.new_image()
        for _ in range(100):
            subprocess.run(["cp", "--sparse=always", self.image, image], check=True)
            if subprocess.run(["cmp", "-s", self.image, image]).returncode == 0:
                return image
        raise AssertionError("the disk is written to all the time")

    def replace(self, image, options):
        """Puts another in the disk's place; mounting a copy replays its journal."""
        self.detach(down_to=1)
        self.image.unlink()
        self.attach(image, options)

    def close(self):
        self.detach()


def freeze(process):
    """Stops a process where it is, and all that it has started; returns their ids, its own first."""
    stopped = []
    to_stop = [process]
    while to_stop:
        for pid in to_stop:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        to_stop = [pid for pid, parent in parents() if parent in stopped and pid not in stopped]
    return stopped


def parents():
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
