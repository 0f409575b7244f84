"""Options of the tests that pytest runs."""


def pytest_addoption(parser):
    parser.addoption("--shard", default="1/1", metavar="K/N",
                     help="run only the Kth of N equal parts of the tests")
    parser.addoption("--cuts", type=int, default=3, metavar="N",
                     help="how often test_power_cut.py cuts the power")
    parser.addoption("--seed", type=int, metavar="N",
                     help="by which test_power_cut.py chooses its moments; else it prints its own")


def pytest_collection_modifyitems(config, items):
    """Parts run beside each other only in namespaces of their own: an Engine wants its host whole."""
    number, count = map(int, config.getoption("--shard").split("/"))
    items[:] = items[number - 1::count]
