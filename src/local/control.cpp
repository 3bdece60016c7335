// SPDX-License-Identifier: Apache-2.0
#include "local/control.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "fault/atomics.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"
#include "local/system.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"

namespace cudafault::local {

namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr size_t kBlockSize = (sizeof(ControlBlock) + kControlAlign - 1) / kControlAlign * kControlAlign;

[[noreturn]] void fail(const char* action) {
    throw Error(kEnvironment, fmt::format("cannot {} the control block: {}", action, error_text()));
}

// Returns true if the file is the control block at the address and cannot shrink. A block that shrinks would raise
// SIGBUS in its readers.
bool is_genuine(int file, const Address& address) {
    struct stat status{};
    if (fstat(file, &status) != 0 || status.st_ino != address.inode) return false;
    return static_cast<size_t>(status.st_size) == kBlockSize && (fcntl(file, F_GET_SEALS) & kSeals) == kSeals;
}

}  // namespace

std::string Address::text() const { return fmt::format("{}:{}:{}:{}", task, descriptor, start_time, inode); }

Control::Control(Descriptor file) : file_(std::move(file)) {
    void* mapped = mmap(nullptr, kBlockSize, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (mapped == MAP_FAILED) fail("map");
    block_ = static_cast<ControlBlock*>(mapped);
}

Control::Control(Control&& other) noexcept
    : file_(std::move(other.file_)), block_(std::exchange(other.block_, nullptr)) {}

Control::~Control() {
    if (block_) munmap(block_, kBlockSize);
}

Control Control::create() {
    Descriptor file(memfd_create("cudafault", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) fail("create");
    if (ftruncate(file.get(), kBlockSize) != 0) fail("resize");
    if (fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) fail("seal");
    Control control(std::move(file));
    control_init(control.block(), getuid(), shared_monotonic_ns());
    return control;
}

Control Control::open(const Address& address) {
    const std::string path = fmt::format("/proc/{}/fd/{}", address.task, address.descriptor);
    Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file) fail("open");
    if (!is_genuine(file.get(), address)) {
        throw Error(kEnvironment,
                    path + " is not the control block that the file of the run names: start the run again");
    }
    return Control(std::move(file));
}

Address Control::address(pid_t task) const {
    struct stat status{};
    fstat(file_.get(), &status);
    return {task, start_time(task).value_or(0), file_.get(), status.st_ino};
}

Control::Lock::Lock(int descriptor) : descriptor_(descriptor) { lock_file(descriptor_, "the run's control block"); }

Control::Lock::~Lock() { flock(descriptor_, LOCK_UN); }

void Control::renew_heartbeat() { store(block_->header.heartbeat_ns, shared_monotonic_ns()); }

uint64_t Control::write_plan(const std::string& spec) {
    control_write_plan(*block_, text_of(spec), *parse_armed_spec(spec), shared_monotonic_ns(), wall_clock_ns());
    const auto written = std::make_unique<PlanCopy>();
    if (control_read_plan(*block_, getuid(), *written)) return written->revision;
    throw Error(kEnvironment,
                "the run's control block is damaged, so its processes cannot read a plan: start the run again");
}

}  // namespace cudafault::local
