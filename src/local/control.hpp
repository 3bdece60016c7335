// SPDX-License-Identifier: Apache-2.0
// Maps the control block of a run into the tool. See include/cudafault/control_block.hpp.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "cudafault/control_block.hpp"
#include "os/descriptor.hpp"

namespace cudafault::local {

// The location of a run's control block. The processes of the run read it from CUDAFAULT_RUN.
struct Address {
    pid_t task;           // `cudafault run`, or a thread of it; see holder.hpp
    uint64_t start_time;  // of that task
    int descriptor;       // the block's file descriptor in `cudafault run`
    uint64_t inode;

    std::string text() const;  // TASK:FD:START:INODE
};

class Control {
public:
    // Creates a block, sealed against shrinking and growing. Throws Error.
    static Control create();

    // Opens the block of a live run. Throws Error if the block does not exist or another file has replaced it.
    static Control open(const Address& address);

    Control(Control&& other) noexcept;
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;
    ~Control();

    ControlBlock& block() { return *block_; }
    const ControlBlock& block() const { return *block_; }
    // Returns the address of a block that this process has created. `task` is this process or a thread of it.
    Address address(pid_t task) const;

    // A lock that must be held while the plan is written. The constructor throws Error if another process holds the
    // lock for two seconds.
    class Lock {
    public:
        explicit Lock(int descriptor);
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
        ~Lock();

    private:
        int descriptor_;
    };
    Lock lock() const { return Lock(file_.get()); }

    void renew_heartbeat();

    // Writes the plan and returns its revision. The caller has checked the plan with parse_spec. Throws Error if the
    // block is damaged, because no process could read the plan.
    uint64_t write_plan(const std::string& spec);

private:
    explicit Control(Descriptor file);

    Descriptor file_;
    ControlBlock* block_;
};

}  // namespace cudafault::local
