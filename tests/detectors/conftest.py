# SPDX-License-Identifier: Apache-2.0
import pytest
from detectors.kernel_log import Entry, Printed, print_all, read_catalog


@pytest.fixture(scope="session")
def catalog() -> dict[int, Entry]:
    return read_catalog()


@pytest.fixture(scope="session")
def printed(catalog: dict[int, Entry]) -> list[Printed]:
    """The lines of each XID of the catalog on each driver branch that prints it."""
    return print_all(catalog)
