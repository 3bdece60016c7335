# SPDX-License-Identifier: Apache-2.0
"""Helpers for the harmless tests: the folder in which programs run, and the comparison of a program's outcome with and
without the library."""

import json
import shutil
from pathlib import Path

from harness import BUILD, LIBRARY, SIMGPU, TOOL, Skip, execute

OUT = BUILD / "harmless"
PROGRAMS = Path(__file__).resolve().parent / "programs"
LINKING = PROGRAMS.parents[1] / "clients" / "linking"
ARMED = "xid=79"
ALLOCATION_FAULT = "error=719 calls=cuMemAlloc"
DISARMED_WAYS: tuple = (
    ("preloaded", {}),
    ("preloaded, bound at start", {"environment": {"LD_BIND_NOW": "1"}}),
    ("with an empty plan", {"plan": ""}),
    ("in a run", {"run": []}),
)
ALL_WAYS = (*DISARMED_WAYS, ("armed", {"plan": ARMED}), ("in an armed run", {"run": ["--plan", ARMED]}))


def require_programs(*programs):
    for program in programs:
        if not shutil.which(program) and not Path(program).exists():
            raise Skip(f"{program} is not installed")


class WorkFolder:
    """The folder in which programs run. It is empty and has the same path for each run, so that a program's output does
    not depend on earlier runs. All users can read the copy of the library next to the work
    folder."""

    def __init__(self, folder):
        self.folder = folder / "work"
        self.library = folder / LIBRARY.name
        self.runtime = folder / "runtime"
        self.runs = 0
        folder.chmod(0o755)
        self.runtime.mkdir(0o700)
        shutil.copyfile(LIBRARY, self.library)
        self.library.chmod(0o755)
        (folder / "simgpu").symlink_to(SIMGPU)
        self.variables = {"XDG_RUNTIME_DIR": str(self.runtime)}

    def execute(self, command, run=None, environment=None, **options):
        """Executes a program and returns its outcome. If `run` is given, `cudafault run` with these options starts the
        program, and the outcome contains the events of the run."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        options["environment"] = {**self.variables, **(environment or {})}
        if run is None:
            options.setdefault("preload", [self.library])
            return execute(command, cwd=self.folder, **options)
        self.runs += 1
        options["environment"]["CUDAFAULT_LIBRARY"] = str(self.library)
        run_command = [TOOL, "run", "--quiet", "--name", self.run_name, *run, "--", *command]
        outcome = execute(run_command, cwd=self.folder, **{**options, "preload": []})
        outcome.events = self.query("events")["events"]
        return outcome

    @property
    def run_name(self):
        return f"harmless-{self.runs}"

    def query(self, verb, *arguments):
        """Runs a cudafault command on the latest run, and returns its JSON output."""
        found = execute([TOOL, verb, self.run_name, *arguments, "--json"], preload=[], environment=self.variables)
        return json.loads(found.output)


def check_same(work, name, command, ways=ALL_WAYS, **options):
    """Starts a program in each of the ways, and asserts that it behaves as without the library. Returns the outcome
    without the library."""
    alone = work.execute(command, preload=[], **options)
    for way, more in ways:
        found = work.execute(command, **{**options, **more})
        assert found.behavior == alone.behavior, f"{name}: the same behavior ({way})"
        assert not [event for event in found.events if "code" in event], f"{name}: no fault fires ({way})"
    return alone


def shell(script):
    return ["sh", "-euc", script]


BASH = """
set -o pipefail; trap 'echo caught' USR1; kill -USR1 $$; (exit 3) || echo $?; false | true || echo $?
for i in 1 2 3; do echo $i & done | sort; wait; echo <(true) | wc -w
coproc cat; echo hello >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo $line
printf '%s\\n' "${BASH_VERSINFO[0]}" {a..e}; exec 7<<<text; cat <&7; ulimit -n; kill -9 $$
"""
PERL = (
    'my %h = map { $_ => $_**2 } 1..5; print join(",", map { "$_=$h{$_}" } sort keys %h), "\\n"; '
    'my $p = fork // die; exit 7 if !$p; waitpid $p, 0; print $? >> 8, "\\n"; print `echo child`; '
    'warn "careful\\n"; exit 5'
)

SIMULATED = {"library_path": [SIMGPU]}
SIMULATED_RUN = ["--gpus", "sim:1"]
DISARMED_ON_SIMULATED = [
    (way, {**more, "run": SIMULATED_RUN, "library_path": []} if "run" in more else more) for way, more in DISARMED_WAYS
]


def armed_on_simulated(plan=ALLOCATION_FAULT):
    """Returns the ways to arm a fault. `cudafault run` is the last way, so that check_status() can query the run."""
    return ("armed", {**SIMULATED, "plan": plan}), ("in an armed run", {"run": [*SIMULATED_RUN, "--plan", plan]})


def check_status(work, count):
    """Asserts that the latest run reports its plan, and counts each allocation once in the plan and once in the
    processes."""
    status, events = work.query("status"), work.query("events")
    plan = status["plan"]
    assert (plan["state"], plan["spec"]) == ("armed", ALLOCATION_FAULT)
    faults = [(fault["outcome"], fault["matched"], fault["fired"]) for fault in plan["faults"]]
    assert faults == [("fired", count, count)]
    assert sum(process["fired"] for process in status["processes"]) == events["total"] == count
    assert (events["lost"], status["processes_dropped"]) == (0, 0)
