// SPDX-License-Identifier: Apache-2.0
// The control block of a run, mapped into the tool.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "cudafault/control_block.hpp"
#include "os/descriptor.hpp"

namespace cudafault::local {

// Where the processes of a run find its control block; the programs get it as CUDAFAULT_RUN.
struct Address {
    pid_t pid;            // of `cudafault run`
    uint64_t start_time;  // of that process
    int descriptor;       // there
    uint64_t inode;

    std::string text() const;  // PID:FD:START:INODE
};

class Control {
public:
    // For `run`: a fresh block that no one can shrink or grow. Throws Error.
    static Control create();

    // For everyone else. Throws Error if it is gone or is not what the address says.
    static Control open(const Address& address);

    Control(Control&& other) noexcept;
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;
    ~Control();

    ControlBlock& block() { return *block_; }
    const ControlBlock& block() const { return *block_; }
    Address address() const;  // of a block made by this process

    // Whoever writes the plan holds the lock until the end of his scope.
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

    void beat();  // tells the processes that the tool is alive

    // Writes the plan; its revision. Throws Error if the block is damaged, for then nobody would take it up.
    uint64_t write_plan(const std::string& spec);

private:
    explicit Control(Descriptor file);

    Descriptor file_;
    ControlBlock* block_;
};

}  // namespace cudafault::local
