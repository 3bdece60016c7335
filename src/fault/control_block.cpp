// SPDX-License-Identifier: Apache-2.0
// Reads and writes plans in the control block with a sequence lock whose reader never waits. All shared words are
// accessed atomically, because another process, possibly a malicious one, may write them at the same time.
#include "cudafault/control_block.hpp"

#include "fault/atomics.hpp"
#include "fault/words.hpp"

namespace cudafault {

namespace {

constexpr uint64_t kFirstRevision = 2;
constexpr int kReadAttempts = 8;  // a write takes microseconds; a reader that fails tries again at its next call

uint64_t hash_byte(uint64_t hash, uint8_t byte) { return (hash ^ byte) * 0x100000001b3; }

uint64_t hash_word(uint64_t hash, uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) hash = hash_byte(hash, static_cast<uint8_t>(word >> shift));
    return hash;
}

void clear_bank(ControlBlock& block, int bank) {
    for (int fault = 0; fault < kMaxFaults; ++fault) {
        FaultState& state = block.run_state[bank][fault];
        store(state.matched, uint64_t{0});
        store(state.fired, uint64_t{0});
        store(state.trips, uint64_t{0});
        store(state.next_trip_ns, uint64_t{0});
        store(state.opened_ns, uint64_t{0});
        store(state.tripped, uint32_t{0});
        store(block.matched[bank][fault], uint64_t{0});
        for (uint64_t& count : block.fired[bank][fault]) store(count, uint64_t{0});
    }
}

// Each store is a release and each load an acquire, so the data cannot move past the writes of the revision that guard
// it. ThreadSanitizer does not support fences.
void write_spec(ControlBlock& block, Text spec, uint64_t revision, uint64_t armed_at_ns) {
    ControlHeader& header = block.header;
    for (size_t i = 0; i < spec.size; ++i) publish(block.spec[i], spec[i]);
    publish(header.spec_size, static_cast<uint32_t>(spec.size));
    publish(header.armed_at_ns, armed_at_ns);
    publish(header.checksum, control_checksum(revision, armed_at_ns, spec));
    publish(header.revision, revision);
}

// One attempt to copy the plan. False if the block belongs to another user or version, is damaged, or was being
// written.
bool read_once(const ControlBlock& block, uint32_t uid, PlanText& out) {
    const ControlHeader& header = block.header;
    out.revision = observe(header.revision);
    if (out.revision % 2 != 0 || out.revision < kFirstRevision) return false;
    if (load(header.magic) != kControlMagic || load(header.version) != kControlVersion) return false;
    if (load(header.owner_uid) != uid || load(header.function_count) != static_cast<uint32_t>(kFunctionCount))
        return false;
    out.size = observe(header.spec_size);
    if (out.size > kMaxSpec) return false;
    for (size_t i = 0; i < out.size; ++i) out.spec[i] = observe(block.spec[i]);
    out.armed_at_ns = observe(header.armed_at_ns);
    const uint64_t checksum = observe(header.checksum);
    if (load(header.revision) != out.revision) return false;
    return checksum == control_checksum(out.revision, out.armed_at_ns, Text(out.spec, out.size));
}

}  // namespace

uint64_t control_checksum(uint64_t revision, uint64_t armed_at_ns, Text spec) {
    uint64_t hash = hash_word(hash_word(0xcbf29ce484222325, revision), armed_at_ns);
    for (size_t i = 0; i < spec.size; ++i) hash = hash_byte(hash, static_cast<uint8_t>(spec[i]));
    return hash;
}

void control_init(ControlBlock& block, uint32_t owner_uid, uint64_t heartbeat_ns) {
    ControlHeader& header = block.header;
    header.magic = kControlMagic;
    header.version = kControlVersion;
    header.owner_uid = owner_uid;
    header.function_count = static_cast<uint32_t>(kFunctionCount);
    header.heartbeat_ns = heartbeat_ns;
    header.revision = kFirstRevision;
    header.checksum = control_checksum(kFirstRevision, header.armed_at_ns, Text());
    header.flag = kFlagIdle;
}

void control_write_plan(ControlBlock& block, Text spec, uint64_t armed_at_ns) {
    if (spec.size > kMaxSpec) spec = Text();  // a truncated plan could mean something else
    ControlHeader& header = block.header;
    const uint64_t revision = (load(header.revision) | 1) + 1;
    clear_bank(block, bank_of(revision));
    store(header.revision, revision - 1);
    write_spec(block, spec, revision, armed_at_ns);
    __atomic_store_n(&header.flag, is_blank(spec) ? kFlagIdle : kFlagArmed, __ATOMIC_RELEASE);
}

bool control_read_plan(const ControlBlock& block, uint32_t uid, PlanText& out) {
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        if (read_once(block, uid, out)) return true;
    }
    return false;
}

}  // namespace cudafault
