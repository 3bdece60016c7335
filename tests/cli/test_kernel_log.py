# SPDX-License-Identifier: Apache-2.0
"""Tests the commands kernel-log and explain."""

import time
from pathlib import Path

import pytest
from cli.support import assert_refused
from harness import cudafault

GPU = ("--gpu", "0000:65:00.0")
FALLEN = "GPU has fallen off the bus."


def kernel_log(*arguments: object) -> list[str]:
    outcome = cudafault("kernel-log", *arguments)
    assert outcome.code == 0, outcome
    return outcome.output.splitlines()


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        (550, f"NVRM: Xid (PCI:0000:65:00): 79, pid='<unknown>', name=<unknown>, {FALLEN}"),
        (570, f"NVRM: Xid (PCI:0000:65:00): 79, {FALLEN}"),
        (615, f"NVRM: Xid (PCI:0000:65:00): 79, {FALLEN}"),
    ],
)
def test_line_has_the_form_of_the_driver_branch(driver: int, line: str) -> None:
    assert kernel_log(79, *GPU, "--driver", driver)[0] == line


def test_gpu_of_the_machine_is_named_with_its_uuid() -> None:
    first, xid = kernel_log(43, "--gpu", 1, "--gpus", "sim:2", "--pid", 4242, "--process", "python3")
    assert first.startswith("NVRM: GPU at PCI:0000:")
    assert "GPU-" in first
    assert xid.endswith("43, pid=4242, name=python3, Ch 00000008")


def test_follow_ups_come_in_order_and_the_branch_decides() -> None:
    def numbers(driver: int) -> list[str]:
        lines = kernel_log(48, *GPU, "--follow-ups", "--driver", driver)
        return [line.split("): ")[1].split(",")[0] for line in lines if "Xid" in line]

    assert numbers(570) == ["48", "63", "94", "154"]
    assert numbers(550) == ["48", "63", "94"], "driver 550 does not print XID 154"


def test_storm_writes_exactly_the_requested_number_of_lines(tmp_path) -> None:
    log = tmp_path / "storm.log"
    kernel_log(95, *GPU, "--storm", 100000, "--count", 500, "--to", log)
    lines = log.read_text().splitlines()
    assert len(lines) == 500
    assert all(": 95, " in line for line in lines)


def test_file_gets_records_on_request(tmp_path) -> None:
    log = tmp_path / "kmsg"
    kernel_log(79, *GPU, "--format", "record", "--to", log)
    assert log.read_text().startswith("4,1,")
    assert log.read_text().splitlines()[0].endswith(f",c;NVRM: Xid (PCI:0000:65:00): 79, {FALLEN}")


def test_switch_error_has_the_link() -> None:
    lines = kernel_log("sxid:20034", "--gpu", "0000:c1:00.0", "--link", 30, "--nvswitch", 3)
    assert lines[0] == "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up (First)"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("999", *GPU), ("unknown XID",)),
        (("3", *GPU), ("XID 3 is reserved",)),
        (("79", *GPU, "--driver", "560"), ("unknown driver branch 560", "nearest is 550")),
        (("154", *GPU, "--driver", "550"), ("does not print XID 154", "570")),
        (("79", "--gpu", "7", "--gpus", "sim"), ('unknown GPU "7"',)),
        (("79", *GPU, "--mig", "x"), ('invalid --mig "x"',)),
        (("79", *GPU, "--mig", "4294967301"), ('invalid --mig "4294967301"',)),
        (("79", "--gpu", "GPU-", "--gpus", "sim:2"), ('unknown GPU "GPU-"',)),
        (("79", *GPU, "--link", "3"), ("invalid --link", "only an SXid")),
        (("79", *GPU, "--count", "3"), ("invalid --count", "--storm")),
        (("79", *GPU, "--storm", "nan"), ("invalid --storm nan",)),
        (("79", *GPU, "--storm", "1e-300"), ("invalid --storm",)),
        (("79", *GPU, "--storm", "5", "--follow-ups"), ("invalid --follow-ups",)),
        (("95", *GPU, "--storm", "5", "--to", "/dev/full"), ("missing --count",)),
        (("43", *GPU, "--pid", "0", "--process", "x"), ("--pid",)),
        (("43", *GPU, "--process", "x"), ("--process",)),
        (("43", *GPU, "--pid", "1", "--process", "a\nb"), ("invalid --process",)),
        (("sxid:1", "--gpu", "0000:c1:00.0"), ('unknown SXid "1"', "20034")),
        (("sxid:4294987330", "--gpu", "0000:c1:00.0"), ("unknown SXid",)),
        (("sxid:20034", "--gpu", "0000:c1:00.0", "--driver", "570"), ("invalid --driver", "SXid")),
        (("sxid:20034", "--gpu", "0000:c1:00.0", "--link", "100"), ("--link",)),
    ],
)
def test_what_the_driver_cannot_print_is_refused(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    refused = cudafault("kernel-log", *arguments)
    assert_refused(refused, 2, *words)
    assert refused.output == ""


def test_refusal_leaves_no_file(tmp_path) -> None:
    assert cudafault("kernel-log", 999, *GPU, "--to", tmp_path / "log").code == 2
    assert not (tmp_path / "log").exists()


def test_storm_keeps_its_rate(tmp_path) -> None:
    start = time.monotonic()
    kernel_log(79, *GPU, "--storm", 100, "--count", 50, "--to", tmp_path / "log")
    assert time.monotonic() - start >= 0.4
    assert len((tmp_path / "log").read_text().splitlines()) == 50


def test_missing_device_is_not_created() -> None:
    refused = cudafault("kernel-log", 79, *GPU, "--to", "/dev/cudafault-no-such-log")
    assert_refused(refused, 3, "does not exist and cudafault does not create it")
    assert not Path("/dev/cudafault-no-such-log").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("999", *GPU), ("unknown XID",)),
        (("154", *GPU, "--driver", "550"), ("does not print XID 154",)),
        (("79", "--gpu", "0"), ('invalid --gpu "0"', "PCI address", "nvidia-smi")),
        (("79", "--gpu", "GPU-01234567"), ('invalid --gpu "GPU-01234567"', "PCI address")),
        (("79", *GPU, "--to", "kern.log"), ('invalid --to "kern.log"', "absolute path")),
        (("79", *GPU, "--to", "/var/log/../kern.log"), ("invalid --to",)),
        (("79", *GPU, "--to", "-"), ('invalid --to "-"',)),
    ],
)
def test_k8s_kernel_log_refuses_invalid_options_before_it_contacts_a_cluster(
    arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused = cudafault("k8s", "kernel-log", "node1", *arguments, KUBECONFIG="/dev/null")
    assert_refused(refused, 2, *words)


def test_rbac_prints_the_role_of_kernel_log() -> None:
    role = cudafault("k8s", "rbac", "kernel-log", "-n", "monitoring", "--json").json
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "monitoring")
    assert {rule["resources"][0]: set(rule["verbs"]) for rule in role["rules"]} == {
        "pods": {"create", "get", "delete"},
        "events": {"list"},
    }


def explained(*arguments: object) -> dict:
    return cudafault("explain", *arguments, "--json").json


def test_explain_depends_on_the_cuda_version_and_the_process() -> None:
    assert explained(94, "--cuda", "12.4")["code"] == 214
    assert explained(94, "--cuda", "12.8")["code"] == 226
    assert explained(94, "--new-process")["code"] is None
    assert explained(79, "--new-process")["pattern"] == "missing"
    assert explained(48)["follow_ups"][0]["xid"] == 63


def test_explain_depends_on_the_gpu_model_and_the_driver() -> None:
    followed = [following["xid"] for following in explained(48, "--gpu-model", "T4")["follow_ups"]]
    assert 94 not in followed, "a T4 has no error containment"
    assert explained(48, "--gpu-model", "T4", "--cuda", "12.8")["code"] == 214
    assert 154 not in [following["xid"] for following in explained(79, "--driver", 535)["follow_ups"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("94", "--cuda", "12.7"), ("unknown CUDA version", "12.6")),
        (("94", "--gpu-model", "H800"), ("unknown GPU model", "nearest is H100")),
        (("94", "--gpu-model", "L4"), ("XID 94 does not occur on L4", "error containment")),
        (("74", "--gpu-model", "T4"), ("XID 74 does not occur on T4", "NVLink")),
        (("79", "--driver", "1"), ("unknown driver branch 1",)),
    ],
)
def test_explain_refuses_situations_that_do_not_occur(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_refused(cudafault("explain", *arguments), 2, *words)
