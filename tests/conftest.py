"""Options of the tests that pytest runs."""

import hashlib
import pathlib

import pytest


def pytest_addoption(parser):
    parser.addoption("--share", metavar="FOLDER",
                     help="run only tests that no other run with this folder has taken")
    parser.addoption("--cuts", type=int, default=3, metavar="N",
                     help="how often test_power_cut.py cuts the power")
    parser.addoption("--seed", type=int, metavar="N",
                     help="by which test_power_cut.py chooses its moments; else it prints its own")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """Runs beside each other, in namespaces of their own since an Engine wants its host whole, take
    one test after the other, so that none has long ones left when the others are done.
    """
    folder = session.config.getoption("--share")
    if not folder or session.config.option.collectonly:
        return None
    mine = (item for item in session.items if is_first(pathlib.Path(folder), item.nodeid))
    item = next(mine, None)
    while item is not None:
        following = next(mine, None)  # what it needs of fixtures is kept
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        item = following
    return True


def is_first(folder, name):
    """Whether nobody else has taken the test of that name, which is taken now."""
    try:
        (folder / hashlib.sha256(name.encode()).hexdigest()).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
