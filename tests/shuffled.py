"""A pytest plugin that runs specs in another order, decided by the run's --seed."""

import random


def pytest_collection_modifyitems(config, items):
    random.Random(config.getoption("--seed")).shuffle(items)
