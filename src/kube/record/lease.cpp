// SPDX-License-Identifier: Apache-2.0
#include "kube/record/lease.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "kube/api/client/resource.hpp"
#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/numbers.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/retry.hpp"
#include "kube/names.hpp"
#include "kube/object/owners.hpp"
#include "kube/object/workload_hash.hpp"
#include "kube/record/author.hpp"
#include "os/process.hpp"

namespace cudafault::kube {

namespace {

constexpr int kLeaseSeconds = 60;
constexpr std::chrono::seconds kReleaseTime{10};

// Returns the current time as a Kubernetes MicroTime.
std::string micro_now() { return utc_text(std::chrono::system_clock::now(), Precision::microseconds); }

// Returns an empty string if the process does not exist or has ended.
std::string start_text(pid_t pid) {
    const auto ticks = start_time(pid);
    return ticks ? std::to_string(*ticks) : "";
}

std::string machine() {
    char space[64] = "";
    if (readlink("/proc/self/ns/pid", space, sizeof space - 1) < 0) return "";
    return boot_id() + "/" + space;
}

bool is_expired(const Json& lease) {
    const auto renewed = parse_timestamp(text_at(lease, {"spec", "renewTime"}));
    return !renewed || std::chrono::system_clock::now() > *renewed + std::chrono::seconds(kLeaseSeconds);
}

}  // namespace

std::string lease_holder() {
    return fmt::format("{}/{}/{} {}", machine(), getpid(), start_text(getpid()), this_user());
}

bool is_dead_holder(const std::string& holder) {
    const std::string machine_prefix = machine() + "/";
    if (machine_prefix.size() < 8 || !holder.starts_with(machine_prefix)) return false;
    const std::string process_text = holder.substr(machine_prefix.size(), holder.find(' ') - machine_prefix.size());
    const size_t slash = process_text.find('/');
    if (slash == std::string::npos) return false;
    const pid_t pid = parse_integer<pid_t>(process_text.substr(0, slash)).value_or(-1);
    return start_text(pid) != process_text.substr(slash + 1);
}

HeldLease::HeldLease(Client& client, const ObjectRef& workload, const Progress& on_progress,
                     std::chrono::milliseconds renewal)
    : client_(client),
      lease_ref_{leases(), workload.in_namespace, names::kLeasePrefix + workload_hash(workload)},
      owner_(owner_reference(workload)),
      holder_(lease_holder()),
      renewal_interval_(renewal) {
    while (!try_to_acquire(on_progress)) client_.session().wait_until(after(std::chrono::seconds(1)));
    held_ = true;
    SessionOptions options;
    options.cancellation = renewal_;
    renewing_.emplace(client_.session(), options);
    renewer_ = std::thread([this] { renew_until_released(); });
}

bool HeldLease::try_to_acquire(const Progress& on_progress) {
    const Json spec = {{"holderIdentity", holder_},
                       {"leaseDurationSeconds", kLeaseSeconds},
                       {"acquireTime", micro_now()},
                       {"renewTime", micro_now()}};
    Json lease = {{"apiVersion", "coordination.k8s.io/v1"},
                  {"kind", "Lease"},
                  {"metadata",
                   {{"name", lease_ref_.name},
                    {"namespace", lease_ref_.in_namespace},
                    {"labels", {{names::kManagedBy, names::kManager}}},
                    {"ownerReferences", {owner_}}}},
                  {"spec", spec}};
    try {
        client_.create(leases(), lease);
        return true;
    } catch (const ApiError& error) {
        if (!error.is_already_exists()) throw;
    }
    const std::optional<Json> existing = client_.find(lease_ref_);
    if (!existing) return false;
    const std::string holder = text_at(*existing, {"spec", "holderIdentity"});
    if (!is_dead_holder(holder) && !(is_expired(*existing) && is_unrenewed(*existing))) {
        if (!std::exchange(has_reported_wait_, true) && on_progress) {
            on_progress(fmt::format("waiting for the lease held by {}", holder.substr(holder.find(' ') + 1)));
        }
        return false;
    }
    JsonPatch patch;
    patch.only_if_unchanged(*existing).add("/spec", spec);
    try {
        client_.patch(lease_ref_, patch);
        return true;
    } catch (const ApiError& error) {
        if (!error.is_conflict() && !error.is_not_found()) throw;
        return false;
    }
}

// The holder's clock may differ, so the lease is treated as abandoned only if this process observes no renewal for
// longer than the renewal interval.
bool HeldLease::is_unrenewed(const Json& lease) {
    const std::string version = text_at(lease, {"metadata", "resourceVersion"});
    if (version != seen_version_) {
        seen_version_ = version;
        seen_since_ = Clock::now();
    }
    return Clock::now() - seen_since_ > renewal_interval_ * 5 / 4;
}

void HeldLease::require_held() const {
    if (!lost_) return;
    throw Error(
        fmt::format("{} was taken over by another command: run this command again to continue", lease_ref_.text()));
}

void HeldLease::renew_until_released() {
    std::unique_lock lock(mutex_);
    while (!released_.wait_for(lock, renewal_interval_, [this] { return !held_; })) {
        renewing_->set_deadline(after(std::chrono::seconds(kLeaseSeconds) / 3));
        JsonPatch patch;
        patch.test("/spec/holderIdentity", holder_).replace("/spec/renewTime", micro_now());
        lock.unlock();
        try {
            Client(*renewing_).patch(lease_ref_, patch);
        } catch (const ApiError& error) {
            if (error.is_conflict() || error.is_not_found()) lost_ = true;
        } catch (const std::exception&) {
            // The lease may expire and be taken by another client. The preconditions of each patch still protect the
            // workload.
        }
        lock.lock();
    }
}

void HeldLease::release() {
    {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(held_, false)) return;
    }
    released_.notify_all();
    renewal_->cancel();
    renewer_.join();
    // Uses a separate connection: the caller's connection may be cancelled or past its deadline, and the lease must
    // still be released.
    SessionOptions options;
    options.deadline = after(kReleaseTime);
    Session session(*renewing_, options);
    Client client(session);
    // Retries on a conflict, because the cancelled renewal may still reach the API server.
    retry_on_conflict(session, [&] {
        const std::optional<Json> existing = client.find(lease_ref_);
        if (!existing || text_at(*existing, {"spec", "holderIdentity"}) != holder_) return;
        DeleteOptions preconditions;
        preconditions.uid = text_at(*existing, {"metadata", "uid"});
        preconditions.resource_version = text_at(*existing, {"metadata", "resourceVersion"});
        try {
            client.remove(lease_ref_, preconditions);
        } catch (const ApiError& error) {
            if (!error.is_not_found()) throw;
        }
    });
}

HeldLease::~HeldLease() {
    try {
        release();
    } catch (const std::exception&) {
        // The lease expires by itself.
    }
}

}  // namespace cudafault::kube
