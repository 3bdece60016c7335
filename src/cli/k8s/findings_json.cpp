// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/findings_json.hpp"

#include <string>

namespace cudafault::cli {

namespace {

using nlohmann::json;

template <typename Items, typename ToJson>
json list_of(const Items& items, const ToJson& to_json) {
    json list = json::array();
    for (const auto& item : items) list.push_back(to_json(item));
    return list;
}

const char* injection_state_text(kube::InjectionState state) {
    switch (state) {
        case kube::InjectionState::kInForce: return "in force";
        case kube::InjectionState::kUnfinished: return "unfinished";
        case kube::InjectionState::kUnknown: return "unknown";
    }
    return "";
}

json text_or_null(const std::string& text) { return text.empty() ? json() : json(text); }

json trace_json(const kube::Trace& trace) {
    return {
        {"object", trace.object}, {"path", trace.path}, {"what", trace.description}, {"sentence", trace.sentence()}};
}

json traces_json(const std::vector<kube::Trace>& traces) { return list_of(traces, trace_json); }

json injection_json(const kube::FoundInjection& injection) {
    const auto& workload = injection.workload;
    return {{"workload", workload ? json(workload->text()) : json()},
            {"kind", workload ? json(workload->resource.kind) : json()},
            {"namespace", injection.in_namespace},
            {"name", workload ? json(workload->name) : json()},
            {"hash", injection.hash},
            {"state", injection_state_text(injection.state)},
            {"record", injection.has_record},
            {"record_trouble", text_or_null(injection.record_problem)},
            {"run", text_or_null(injection.run_id)},
            {"by", text_or_null(injection.by)},
            {"created_at", text_or_null(injection.created_at)},
            {"armed", text_or_null(injection.armed)},
            {"expired", text_or_null(injection.expired)},
            {"until", text_or_null(injection.until)},
            {"objects", injection.objects}};
}

json leftover_json(const kube::Leftover& leftover) {
    return {{"object", leftover.object}, {"traces", traces_json(leftover.traces)}};
}

json difference_json(const kube::Difference& difference) {
    const auto value = [](const std::optional<std::string>& text) { return text ? json(*text) : json(); };
    return {{"object", difference.object},
            {"path", difference.path},
            {"before", value(difference.before)},
            {"after", value(difference.after)}};
}

}  // namespace

json skipped_json(const std::vector<kube::SkippedKind>& skipped) {
    return list_of(skipped,
                   [](const kube::SkippedKind& kind) { return json{{"resource", kind.resource}, {"why", kind.why}}; });
}

json scan_json(const kube::ScanReport& report) {
    return {{"injections", list_of(report.injections, injection_json)},
            {"leftovers", list_of(report.leftovers, leftover_json)},
            {"put_back", list_of(report.manager_only, leftover_json)},
            {"unseen", skipped_json(report.skipped)},
            {"objects", report.objects},
            {"kinds", report.kinds}};
}

json clean_json(const kube::CleanReport& report) {
    return {{"clean", report.is_clean() && report.skipped.empty()},
            {"traces", traces_json(report.traces)},
            {"differences", list_of(report.differences, difference_json)},
            {"notes", report.notes},
            {"unseen", skipped_json(report.skipped)},
            {"objects", report.objects},
            {"kinds", report.kinds}};
}

}  // namespace cudafault::cli
