// SPDX-License-Identifier: Apache-2.0
// The catalog of XIDs as data/xids.yaml describes it. The generator checks the entries; the program reads the checked
// entries as JSON (entry_json.hpp). docs/incidents.md explains the model.
#pragma once

#include <string>
#include <vector>

namespace cudafault::catalog {

// Where a fact comes from.
struct Provenance {
    std::vector<std::string> sources;  // at least one; URLs, or the text of a name in `sources` of the file
    std::string confidence;            // documented, observed or inferred
};

// An error from a version of CUDA on, until the version of the next code.
struct Code {
    std::string cuda;   // "12.8"; "0" for the first code
    std::string error;  // CUDA_ERROR_CONTAINED
    int number;         // 226; the driver and the runtime use the same number
    std::string needs;  // the code needs this feature of the GPU; empty: none
};

// What CUDA returns to one group of processes after the trip.
struct Observation {
    std::string pattern;      // none, asynchronous, context, init or missing; empty: the depth has no observations
    std::vector<Code> codes;  // empty with pattern none
    std::string stall;        // how long the first affected call blocks, as in plans ("6s"); empty: it does not block
    std::string lasts;        // running processes: process or call; otherwise empty
    std::string text;         // a remark; may be empty
    Provenance provenance;
};

struct LogText {
    unsigned branch;  // the first driver branch that prints this text
    std::string text;
};

struct LogLine {
    std::string form;            // xid or driver
    std::string owner;           // form xid: process or none
    std::vector<LogText> texts;  // ascending by branch
    Provenance provenance;
};

struct FollowUp {
    unsigned xid;
    std::string delay;  // after the trip, as in plans ("100ms")
    Provenance provenance;
};

// A value with its source. An empty value means that the depth of the entry does not have it.
struct Fact {
    std::string value;
    std::string text;  // a remark; may be empty
    Provenance provenance;
};

struct Entry {
    unsigned number;
    std::string depth;            // full, nvml, log or reserved
    std::string mnemonic;         // in NVIDIA's catalog
    std::string driver_mnemonic;  // in the driver, if it differs
    std::string title;
    std::string use_case;            // may be empty
    std::string reason;              // reserved: why it is refused
    std::vector<std::string> needs;  // features of the GPU
    Fact scope;                      // call, process, gpu, link or node
    Fact recovery;                   // NVIDIA's immediate action
    std::string next_recovery;       // the action after that; "-": none
    Code simple;                     // the code of model=simple; number 0: no CUDA call fails
    std::string simple_remark;       // how a real GPU differs; may be empty
    Provenance simple_provenance;    // without sources if the code is that of `running`
    Observation running, new_process, others;
    Fact heals_by;                      // restart, reset, driver-reload or reboot
    Fact nvml;                          // healthy, degraded, reset_required or lost
    bool has_event;                     // NVML delivers an XID event
    std::vector<std::string> counters;  // the counters of NVML that a trip adds to
    Fact action;                        // recovery action, field 230 of NVML
    std::vector<LogLine> log;
    std::vector<FollowUp> follow_ups;
    Fact goe;  // the code of the GPU Operational Event
};

}  // namespace cudafault::catalog
