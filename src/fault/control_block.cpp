// SPDX-License-Identifier: Apache-2.0
// Reads and writes plans in the control block with a sequence lock whose reader never waits. All shared words are
// accessed atomically, because another process, possibly a malicious one, may write them at the same time.
#include "cudafault/control_block.hpp"

#include "fault/atomics.hpp"

namespace cudafault {

namespace {

constexpr uint64_t kFirstRevision = 2;
constexpr int kReadAttempts = 8;  // a write takes microseconds; after a failure, the caller retries at its next call

constexpr size_t kHeadWords = offsetof(Plan, faults) / sizeof(uint64_t);
constexpr size_t kFaultWords = sizeof(Fault) / sizeof(uint64_t);
static_assert(offsetof(Plan, faults) % sizeof(uint64_t) == 0 && sizeof(Fault) % sizeof(uint64_t) == 0);

size_t words_of(int count) { return kHeadWords + kFaultWords * static_cast<size_t>(count); }

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
        store(block.on_other_gpu[bank][fault], uint64_t{0});
        for (uint64_t& count : block.fired[bank][fault]) store(count, uint64_t{0});
    }
}

// Plans are copied word by word. Each store is a release and each load an acquire, so the data cannot move past the
// accesses to the revision that guards it. ThreadSanitizer does not support fences.
uint64_t word_of(const Plan& plan, size_t index) {
    uint64_t word;
    __builtin_memcpy(&word, reinterpret_cast<const char*>(&plan) + index * sizeof word, sizeof word);
    return word;
}

using SharedWord = uint64_t __attribute__((may_alias));
SharedWord* words(Plan& plan) { return reinterpret_cast<SharedWord*>(&plan); }
const SharedWord* words(const Plan& plan) { return reinterpret_cast<const SharedWord*>(&plan); }

void write_plan(ControlBlock& block, Text spec, const Plan& plan, uint64_t revision, uint64_t armed_at_ns) {
    ControlHeader& header = block.header;
    for (size_t i = 0; i < spec.size; ++i) publish(block.spec[i], spec[i]);
    publish(header.spec_size, static_cast<uint32_t>(spec.size));
    for (size_t i = 0; i < words_of(plan.count); ++i) publish(words(block.plan)[i], word_of(plan, i));
    publish(header.armed_at_ns, armed_at_ns);
    publish(header.checksum, control_checksum(revision, armed_at_ns, spec, plan));
    publish(header.revision, revision);
}

void set_flags(ControlBlock& block, const Plan& plan) {
    for (int row = 0; row < kFunctionCount; ++row) {
        publish(block.function_flags[row], static_cast<uint8_t>(plan.reached.has(row) ? kFlagArmed : kFlagIdle));
    }
    __atomic_store_n(&block.header.flag, plan.count > 0 ? kFlagArmed : kFlagIdle, __ATOMIC_RELEASE);
}

// Tries once to copy the plan. Returns false if the block belongs to another user or version, is damaged, or changed
// during the copy.
bool read_once(const ControlBlock& block, uint32_t uid, PlanCopy& out) {
    const ControlHeader& header = block.header;
    out.revision = observe(header.revision);
    if (out.revision % 2 != 0 || out.revision < kFirstRevision || !is_usable(header, uid)) return false;
    out.size = observe(header.spec_size);
    const int count = observe(block.plan.count);
    if (out.size > kMaxSpec || count < 0 || count > kMaxFaults) return false;
    for (size_t i = 0; i < out.size; ++i) out.spec[i] = observe(block.spec[i]);
    for (size_t i = 0; i < words_of(count); ++i) words(out.plan)[i] = observe(words(block.plan)[i]);
    out.armed_at_ns = observe(header.armed_at_ns);
    out.checksum = observe(header.checksum);
    if (load(header.revision) != out.revision || out.plan.count != count) return false;
    const Text spec(out.spec, out.size);
    return out.checksum == control_checksum(out.revision, out.armed_at_ns, spec, out.plan) && is_well_formed(out.plan);
}

}  // namespace

uint64_t control_checksum(uint64_t revision, uint64_t armed_at_ns, Text spec, const Plan& plan) {
    uint64_t hash = hash_word(hash_word(0xcbf29ce484222325, revision), armed_at_ns);
    for (size_t i = 0; i < spec.size; ++i) hash = hash_byte(hash, static_cast<uint8_t>(spec[i]));
    for (size_t i = 0; i < words_of(plan.count); ++i) hash = (hash ^ word_of(plan, i)) * 0x100000001b3;
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
    header.checksum = control_checksum(kFirstRevision, header.armed_at_ns, Text(), block.plan);
    set_flags(block, block.plan);
}

void control_write_plan(ControlBlock& block, Text spec, const Plan& plan, uint64_t armed_at_ns,
                        uint64_t armed_wall_ns) {
    ControlHeader& header = block.header;
    const uint64_t revision = (load(header.revision) | 1) + 1;
    clear_bank(block, bank_of(revision));
    store(header.revision, revision - 1);
    store(header.armed_wall_ns, armed_wall_ns);
    write_plan(block, spec, plan, revision, armed_at_ns);
    set_flags(block, plan);
}

bool control_read_plan(const ControlBlock& block, uint32_t uid, PlanCopy& out) {
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        if (read_once(block, uid, out)) return true;
    }
    return false;
}

}  // namespace cudafault
