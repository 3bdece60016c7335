// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/pod_log.hpp"

#include <fmt/format.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/deadline_scope.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

std::string text_of(const Json& pod, const LogOptions& options) {
    return fmt::format("the log of container {} of pod {} in namespace {}{}", options.container, pod_name(pod),
                       pod_namespace(pod), options.previous ? " before its last restart" : "");
}

}  // namespace

PodLog read_log(Client& client, const Json& pod, const LogOptions& options, std::chrono::seconds budget) {
    const DeadlineScope scope = DeadlineScope::at_most(client.session(), after(budget));
    try {
        PodLog log{client.log(pod_namespace(pod), pod_name(pod), options), ""};
        if (!log.text) log.why_not = text_of(pod, options) + " was deleted from its node and cannot be recovered";
        return log;
    } catch (const DeadlinePassed&) {
        if (!scope.is_shorter()) throw;
        return {std::nullopt, fmt::format("{} was not received within {} s; check that its node is up",
                                          text_of(pod, options), budget.count())};
    } catch (const ApiError& error) {
        return {std::nullopt, error.what(), error.code};
    } catch (const ConnectionError& error) {
        return {std::nullopt, error.what()};
    }
}

}  // namespace cudafault::kube
