# SPDX-License-Identifier: Apache-2.0
import pytest
from control.support import build_client


@pytest.fixture(scope="session", autouse=True)
def build_client_once() -> None:
    build_client()
