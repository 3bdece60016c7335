# SPDX-License-Identifier: Apache-2.0
"""Tests the commands that need no run: help, check, xids and functions."""

import re

import pytest
from cli.support import assert_refused, has_line, has_words, status
from harness import cudafault

VERBS = ("run", "arm", "disarm", "status", "events", "check", "xids", "explain", "functions", "kernel-log")
CODES = {43: 702, 48: 214, 74: 217, 79: 100, 94: 214, 95: 999}


def test_version_option_prints_version() -> None:
    outcome = cudafault("--version")
    assert outcome.code == 0
    assert re.fullmatch(r"cudafault \d+\.\d+\.\d+\n", outcome.output)


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb: str) -> None:
    outcome = cudafault(verb, "--help")
    assert outcome.code == 0
    assert has_words(outcome.output, "Example", f"cudafault {verb}")


@pytest.mark.parametrize("arguments", ["", "fail", "check", "arm x", "status --jason", "kernel-log"])
def test_usage_error_names_help_option(arguments: str) -> None:
    assert_refused(cudafault(*arguments.split()), 2, "--help")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [("k8s inject deployment/app --contract-xid many", "--contract-xid")],
)
def test_error_about_a_number_names_the_value(arguments: str, name: str) -> None:
    assert_refused(cudafault(*arguments.split()), 2, f'invalid {name} "many": expected a whole number')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nosuch", 'unknown command "nosuch"'),
        ("k8s nosuch", 'unknown command "nosuch"'),
        ("k8s", "missing command"),
        ("explain 79 --gpu foo", 'unexpected argument "--gpu" "foo"'),
        ("k8s status -o xml", 'invalid --output "xml": expected one of json, yaml, wide'),
        ("kernel-log 79 --gpu 0 --storm 1 --count x", 'invalid --count "x": expected a number from 1 to 1000000000000'),
        ("run --plan", "missing value of --plan: expected "),
        ("kernel-log 79", "missing --gpu"),
        ("k8s restore --all deployment/x", "invalid --all: it cannot be combined with a workload"),
    ],
)
def test_usage_error_has_the_form_of_other_messages(arguments: str, message: str) -> None:
    assert_refused(cudafault(*arguments.split()), 2, f"cudafault: {message}")


@pytest.mark.parametrize("arguments", ["run", "run --"])
def test_run_needs_a_command(arguments: str) -> None:
    assert_refused(cudafault(*arguments.split()), 2, "command")


@pytest.mark.parametrize("arguments", ["", "deployment/app"])
def test_k8s_arm_needs_a_plan(arguments: str) -> None:
    """The command fails before it contacts a cluster."""
    outcome = cudafault("k8s", "arm", *arguments.split())
    assert_refused(outcome, 2, "missing plan", "deployment/web 'xid=79'")


def test_k8s_node_drain_refuses_invalid_grace() -> None:
    outcome = cudafault("k8s", "node", "drain", "n", "--grace", "-1")
    assert_refused(outcome, 2, 'invalid --grace "-1": expected whole seconds')


def test_check_explains_plan() -> None:
    outcome = cudafault("check", "xid=79 gpu=0 after=100; effect=delay:90s calls=@copy")
    assert outcome.code == 0
    words = ("GPU fell off the bus", "CUDA_ERROR_NO_DEVICE", "GPU 0", "first 100 matched calls", "90 s later", "@copy")
    assert has_words(outcome.output, *words)


def test_check_prints_plan_as_json() -> None:
    document = cudafault("check", "--json", "xid=79 gpu=0 after=100").json
    fault = document["faults"][0]
    found = (document["valid"], fault["xid"], fault["effect"]["code"], fault["after_calls"])
    assert found == (True, 79, 100, 100)
    assert "cuMemAlloc_v2" in fault["calls"]["functions"]


def test_check_prints_error_position_as_json() -> None:
    refused = cudafault("check", "--json", "xid=79 gpu=zero")
    found = (refused.code, refused.json["valid"], refused.json["column"], refused.json["length"])
    assert found == (2, False, 12, 4)


def test_check_accepts_empty_plan() -> None:
    assert cudafault("check", "").code == 0


def test_xids_lists_all_xids() -> None:
    document = cudafault("xids", "--json").json
    codes = {row["xid"]: row["simple"]["code"] for row in document["xids"]}
    assert {xid: codes[xid] for xid in CODES} == CODES
    assert codes[63] == 0, "no CUDA call fails"
    assert 3 not in codes, "reserved"
    listed = cudafault("xids").output
    for xid, code in CODES.items():
        assert has_line(listed, rf"^{xid} .*\({code}\)$")


def test_xids_shows_one_xid() -> None:
    assert cudafault("xids", 79, "--json").json["mnemonic"] == "GPU_HAS_FALLEN_OFF_THE_BUS"
    assert "999" in cudafault("xids", 79).output, "the code that a running process receives"
    assert "reserved" in cudafault("xids", 3).output
    assert_refused(cudafault("xids", 999), 2, "unknown XID")


def test_functions_prints_json() -> None:
    assert cudafault("functions", "cudaMalloc", "--json").json["functions"] == [
        {
            "function": "cudaMalloc",
            "class": "memory",
            "can_fail": True,
            "fails_by_default": True,
            "libraries": ["libcudart.so.11.0", "libcudart.so.12", "libcudart.so.13"],
        }
    ]


def test_functions_lists_matches_of_pattern() -> None:
    shown = cudafault("functions", "cuMemAlloc*").output.splitlines()
    assert len(shown) > 5
    assert all("cuMemAlloc" in line for line in shown[1:])
    assert "cuLaunchKernel " in cudafault("functions", "@launch").output
    assert_refused(cudafault("functions", "cuMelt*"), 2, "cuMelt*")


def test_run_simulates_every_listed_model() -> None:
    models = re.search(r"Models are ([\w, ]+)\.", " ".join(cudafault("run", "--help").output.split()))
    assert models
    for model in re.findall(r"\w*\d\w*", models[1]):
        cudafault("run", "--name", "model", "--gpus", f"sim:{model}:2", "--", "true")
        gpus = status("model")["gpus"]
        assert gpus["simulated"]
        assert [model in gpu["name"] for gpu in gpus["list"]] == [True] * 2
